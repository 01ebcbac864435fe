"""Loads the user's samples: .npy and .npz files and data sets, checked against the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.data.dataset import Dataset, is_dataset
from tinyflash.data.opened import opened
from tinyflash.data.samples import samples as windows_of
from tinyflash.data.splits import TEST, TRAIN, VALIDATION
from tinyflash.errors import DataError, listed, printable, warn
from tinyflash.graph import Port
from tinyflash.runtime.reach import (
    range_complaint,
    range_of,
    signal_complaint,
    target_complaint,
)
from tinyflash.runtime.session import Int8Array, Labels
from tinyflash.runtime.units import encode
from tinyflash.training.targets import Objective, real_inputs

_LARGEST = 2 << 30  # bytes of numbers
_EXPECTED = (
    "a whole .npy or .npz file of numbers; write it with numpy.save or numpy.savez, without "
    "objects in it"
)


@dataclass(frozen=True)
class Source:
    """Where samples are: an .npz file, or a data set.

    part: of the split of a set; None: all of it. hop: frames from one window of a set to the next;
    None: half a window. dataset: the set, opened; None of a file.
    """

    path: Path
    part: str | None = None
    hop: int | None = None
    dataset: Dataset | None = None

    def __str__(self) -> str:
        return f"{self.path}, part {self.part}" if self.part else str(self.path)

    def units_for(self, port: Port) -> Port:
        """Returns a model's input as these samples come: those of a set in real units, those of a
        file in the type of the input."""
        if self.dataset is not None and port.dtype == "int8" and port.quant is not None:
            return replace(port, dtype="float32")
        return port

    @classmethod
    def of(cls, data: Path | Source) -> Source:
        if isinstance(data, Source):
            return data
        return cls(data, dataset=opened(data)) if is_dataset(data) else cls(data)

    @classmethod
    def to_train(cls, data: Path, hop: int | None = None) -> tuple[Source, Source | None]:
        """Returns what to train with, and what to hold out: of a set its parts, of a file None."""
        if not is_dataset(data):
            return cls(data), None
        dataset = opened(data)
        held = next((part for part in (VALIDATION, TEST) if part in dataset.splits), None)
        if TRAIN not in dataset.splits or held is None:
            raise DataError(
                f"{data} is not split into train and test; run: tinyflash data split {data} "
                "--by subject, session or random"
            )
        return cls(data, TRAIN, hop, dataset), cls(data, held, hop, dataset)

    @classmethod
    def to_test(cls, data: Path, hop: int | None = None) -> Source:
        """Returns what to test with: the part `test` of a set that has one, else all."""
        whole = cls.of(data)
        has_test = whole.dataset is not None and TEST in whole.dataset.splits
        return replace(whole, part=TEST if has_test else None, hop=hop)


@dataclass(frozen=True)
class Samples:
    """Samples x int8 [count, ...] in stored integers, with labels y int64 [count], or with stored
    targets y int8 [count, outputs]. Raises DataError for anything else."""

    x: Int8Array
    y: Labels | Int8Array

    def __post_init__(self) -> None:
        if self.x.dtype != np.int8:
            raise DataError(f"x is {self.x.dtype}; it must be stored int8, as encode() returns")
        if self.y.dtype.kind not in "biu" or (self.y.ndim != 1 and self.y.dtype != np.int8):
            raise DataError(
                f"y is {self.y.dtype} of shape {self.y.shape}; labels are whole numbers, one per "
                "sample; targets are stored int8, as Objective.encode() returns"
            )
        if len(self.x) != len(self.y):
            raise DataError(f"{len(self.x)} samples and {len(self.y)} of y; one for each is needed")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def labels(self) -> Labels:
        """`y` of samples with labels."""
        assert self.y.ndim == 1
        return self.y.astype(np.int64, copy=False)

    def take(self, indices: npt.NDArray[np.int64]) -> Samples:
        return Samples(self.x[indices], self.y[indices])


def load_inputs(path: Path, port: Port) -> Int8Array:
    """Loads a .npy file in the model's own input type -> stored int8 [count, ...]."""
    array = load_arrays(path, _LARGEST, _EXPECTED)
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} is an archive of arrays; give an .npy file with one")
    return encoded(array, port, str(path))


def load_calibration(path: Path) -> Numbers:
    """Loads calibration samples in real numbers: an .npy file, or `x` of an .npz file."""
    loaded = load_arrays(path, _LARGEST, _EXPECTED)
    if isinstance(loaded, np.ndarray):
        return loaded
    if "x" not in loaded:
        raise DataError(f"{path} has no array 'x'; it needs x (samples)")
    return loaded["x"]


def load_samples(data: Path | Source, port: Port, classes: int) -> Samples:
    """Loads `x` and `y` of an .npz file or a set: samples in the model's input units, labels
    0..classes-1."""
    path = Source.of(data)
    archive = _archive(path, port, "labels", "x", "y")
    return as_samples(path, archive["x"], archive["y"], port, classes)


def as_samples(path: Source, x: Numbers, y: Numbers, port: Port, classes: int) -> Samples:
    """Returns x and y of a source, which are loaded already, as a network has them."""
    stored = encoded(x, path.units_for(port), f"{path}, x")
    return _paired(path, stored, load_labels(y, classes, f"{path}, y"), "labels")


def load_pairs(data: Path | Source, port: Port) -> tuple[Int8Array, Numbers | None]:
    """Loads `x` and, if there is one, `y` of an .npz file or a set: samples in the model's input
    units, and what they are compared with."""
    path = Source.of(data)
    port = path.units_for(port)
    archive = _archive(path, port, "labels or targets", "x")
    x, y = encoded(archive["x"], port, f"{path}, x"), archive.get("y")
    if y is not None and (y.ndim == 0 or len(y) != len(x)):
        found = "one number as y" if y.ndim == 0 else f"{len(y)} of y"
        raise DataError(f"{path} has {len(x)} samples and {found}; it needs one of y for each")
    return x, y


def load_with_targets(data: Path | Source, port: Port, objective: Objective) -> Samples:
    """Loads `x` and `y` of an .npz file: samples in the model's input units, targets in real units.

    Without y, and of a set, each sample is its own target, as for an autoencoder.
    """
    path = Source.of(data)
    port = path.units_for(port)
    archive = _archive(path, port, "targets", "x")
    if path.dataset is not None:
        del archive["y"]
    x = encoded(archive["x"], port, f"{path}, x")
    if "y" not in archive:
        return _paired(path, x, _own_targets(path, port, x, objective), "targets")
    try:
        targets = objective.encode(archive["y"])
    except DataError as error:
        raise DataError(f"{path}, y: {error}") from None
    if targets.size:
        complaint = target_complaint(archive["y"], objective.range)
        if complaint is not None:
            warn(f"{path}, y: {complaint}")
    return _paired(path, x, targets, "targets")


def _own_targets(path: Source, port: Port, x: Int8Array, objective: Objective) -> Int8Array:
    real = real_inputs(port, x)
    if real.shape[1] != objective.size or objective.loss != "mean_squared_error":
        raise DataError(
            f"{path} has no array 'y'; it needs x (samples) and y (targets), except for an "
            "autoencoder with the mean squared error: its samples are its targets"
        )
    return objective.encode(np.clip(real, *objective.range))


def _archive(path: Source, port: Port, what: str, *names: str) -> dict[str, Numbers]:
    if path.dataset is not None:
        found = windows_of(path.dataset, path.part, port.shape[1:], path.hop)
        return {"x": found.x, "y": found.y}
    archive = load_arrays(path.path, _LARGEST, _EXPECTED)
    if isinstance(archive, np.ndarray):
        raise DataError(f"{path} is one array; give an .npz file with x (samples) and y ({what})")
    for name in names:
        if name not in archive:
            raise DataError(
                f"{path} has no array {name!r}; it needs x (samples) and y ({what}), and has "
                f"{printable(listed(sorted(archive))) or 'nothing'}"
            )
    if archive["x"].shape[:1] == (0,):
        raise DataError(f"{path} has no samples: x has shape {archive['x'].shape}")
    return archive


def _paired(path: Source, x: Int8Array, y: Labels | Int8Array, what: str) -> Samples:
    if len(x) != len(y):
        raise DataError(f"{path} has {len(x)} samples and {len(y)} {what}; it needs one for each")
    return Samples(x, y)


def split(samples: Samples, held_out: float, seed: int) -> tuple[Samples, Samples]:
    """Splits samples into training and held-out ones. Holds out the fraction `held_out` of each
    label, rounded up; of all samples if they have targets."""
    if not 0 <= held_out < 1:
        raise DataError(f"the held-out fraction is {held_out}; it must be at least 0 and below 1")
    random = np.random.default_rng(seed)
    kept, held = [], []
    for alike in _groups(samples):
        indices = random.permutation(alike)
        count = math.ceil(held_out * len(indices)) if len(indices) > 1 else 0
        held.append(indices[:count])
        kept.append(indices[count:])
    return samples.take(np.sort(np.concatenate(kept))), samples.take(np.sort(np.concatenate(held)))


def hold_out(samples: Samples, count: int, seed: int) -> tuple[Samples, Samples]:
    """Splits off `count` held-out samples: from each label in turn, while it has samples; with
    targets, any. Returns the others, then these."""
    if count == 0:
        return samples, samples.take(np.zeros(0, np.int64))
    random = np.random.default_rng(seed)
    order = random.permutation(len(samples))
    turn = np.zeros(len(samples), np.int64)  # a sample's number among the samples of its label
    for alike in _groups(samples):
        mine = order[np.isin(order, alike)]
        turn[mine] = np.arange(len(mine))
    held = order[np.argsort(turn[order], kind="stable")][:count]
    kept = np.setdiff1d(np.arange(len(samples)), held)
    if count > len(held) or len(kept) == 0:
        raise DataError(
            f"{count} of {len(samples)} samples cannot be held out: too few left; hold out fewer"
        )
    return samples.take(kept), samples.take(np.sort(held))


def _groups(samples: Samples) -> list[npt.NDArray[np.int64]]:
    """Returns the samples of each label, by index. Samples with targets are one group."""
    if samples.y.ndim > 1:
        return [np.arange(len(samples))]
    return [np.flatnonzero(samples.y == label) for label in np.unique(samples.y)]


def encoded(x: Numbers, port: Port, where: str) -> Int8Array:
    """Encodes samples, and warns if they are not in the units that the model reads."""
    try:
        stored = encode(port, x)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    if stored.size:
        complaint = signal_complaint(x) or range_complaint(x, range_of(port))
        if complaint is not None:
            warn(f"{where}: {complaint}")
    return stored


def load_labels(y: Numbers, classes: int, where: str) -> Labels:
    """Returns the labels [n] in an array, 0..classes-1. where: for the error of another one."""
    if y.ndim != 1 or y.dtype.kind not in "biu":
        raise DataError(
            f"{where} is {y.dtype} of shape {y.shape}; labels are whole numbers, one per sample, "
            f"of an integer type such as int64{_as_labels(y, classes)}"
        )
    labels = y.astype(np.int64)
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        first = int(outside[0])
        raise DataError(
            f"{where}[{first}] is {y[first]}; the network has {classes} classes, 0..{classes - 1}"
            + ("; if yours begin at 1, take y - 1" if _from_1(labels, classes) else "")
        )
    return labels


def _from_1(labels: Labels, classes: int) -> bool:
    return int(labels.min()) == 1 and int(labels.max()) == classes


def _as_labels(y: Numbers, classes: int) -> str:
    """Returns what makes labels of y, where that is plain."""
    if y.ndim == 2 and y.dtype.kind in "biuf":
        if y.shape[1] == 1:
            return f"; take y[:, 0]{'.astype(int)' if y.dtype.kind == 'f' else ''} of one column"
        if y.shape[1] == classes:
            return "; take y.argmax(1) of one-hot rows"
    if y.ndim == 1 and y.dtype.kind == "f" and not (y.astype(np.float64) % 1).any():
        return "; take y.astype(int)"
    if y.ndim == 1 and y.dtype.kind == "U":
        return "; take numpy.unique(y, return_inverse=True)[1] of names"
    return ""
