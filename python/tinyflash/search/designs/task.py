"""The data that networks are found for: samples in real units, as maps, in three parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.data.dataset import Dataset, is_dataset
from tinyflash.data.opened import opened
from tinyflash.data.samples import samples as windows_of
from tinyflash.data.splits import TEST, TRAIN, VALIDATION
from tinyflash.errors import DataError
from tinyflash.search.designs.layers import Family, Map

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_LARGEST = 2 << 30  # bytes of numbers
_EXPECTED = "a whole .npz file of numbers; write it with numpy.savez, without objects in it"
_VALIDATION, _TEST = 0.2, 0.2  # held out of a file, of each class
_MOST_CHANNELS = 9  # that the last of two axes of a file can be, beside a long first one
_LONG = 4  # times


@dataclass(frozen=True)
class Part:
    """Samples x [n][height][width][channels] in real units, labels y [n]."""

    x: Floats
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Task:
    """Trained with `train`, chosen by `validation`, judged by `test`. No sample is in two parts."""

    family: Family
    classes: int
    train: Part
    validation: Part
    test: Part

    @property
    def shape(self) -> Map:
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    @property
    def spread(self) -> float:
        """The standard deviation of a number of a training sample."""
        return float(self.train.x.std()) or 1.0

    def digest(self) -> str:
        """Returns a name that tells these samples from all others."""
        found = hashlib.sha256(f"{self.family} {self.classes}".encode())
        for part in (self.train, self.validation, self.test):
            for array in (part.x, part.y):
                found.update(repr(array.shape).encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()[:16]


def load_task(data: Path, family: Family | None, window: int | None, seed: int) -> Task:
    """Loads a data set, or an .npz file with x and y. family: None: as the shape suggests. window:
    frames in a sample of a set of signals. seed: of what is held out of a file."""
    task = _of_set(data, family, window) if is_dataset(data) else _of_file(data, family, seed)
    for name in ("train", "validation", "test"):
        part: Part = getattr(task, name)
        if not len(part):
            raise DataError(f"{data} has no samples to be its {name} part; give more")
        if not np.isfinite(part.x).all():
            raise DataError(f"{data} has numbers that are not finite")
    if len(np.unique(task.train.y)) < 2:
        raise DataError(f"{data} has one class to train with; a network needs two to tell apart")
    return task


# ---- A data set ----------------------------------------------------------------------------------


def _of_set(data: Path, family: Family | None, window: int | None) -> Task:
    dataset = opened(data)
    for part in (TRAIN, TEST):
        if part not in dataset.splits:
            raise DataError(
                f"{data} is not split into train and test; run: tinyflash data split {data} "
                "--by subject, session or random"
            )
    shape, family = _sample(data, dataset, family, window)
    held = VALIDATION if VALIDATION in dataset.splits else None
    parts = [_part_of_set(dataset, part, shape) for part in (TRAIN, TEST)]
    train, test = parts
    if held is None:
        train, validation = held_out(train, _VALIDATION, seed=0)
    else:
        validation = _part_of_set(dataset, held, shape)
    return Task(family, len(dataset.classes), train, validation, test)


def _sample(
    data: Path, dataset: Dataset, family: Family | None, window: int | None
) -> tuple[Map, Family]:
    """Returns the shape of a sample of a set, and its family."""
    frame = dataset.frames.shape
    if len(frame) == 3:
        if window not in (None, 1) or family == "signal":
            raise DataError(f"{data} has pictures; leave out --window, and --family signal")
        return (frame[0], frame[1], frame[2]), "picture"
    if len(frame) != 1:
        raise DataError(f"{data} has frames of shape {list(frame)}; design reads signals, pictures")
    if window is None:
        raise DataError(
            f"{data} has frames of {frame[0]} channels; say with --window how many a sample has"
        )
    if family is None:
        family = "signal" if dataset.frames.front_end == "raw" else "picture"
    return ((1, window, frame[0]) if family == "signal" else (window, frame[0], 1)), family


def _part_of_set(dataset: Dataset, part: str, shape: Map) -> Part:
    found = windows_of(dataset, part, shape, None)
    return Part(found.x.reshape(len(found.x), *shape), found.y)


# ---- A file --------------------------------------------------------------------------------------


def _of_file(data: Path, family: Family | None, seed: int) -> Task:
    arrays = load_arrays(data, _LARGEST, _EXPECTED)
    if isinstance(arrays, np.ndarray) or "x" not in arrays or "y" not in arrays:
        raise DataError(f"{data} needs the arrays x (samples) and y (labels); write numpy.savez")
    x, y = arrays["x"], arrays["y"]
    if y.ndim != 1 or y.dtype.kind not in "biu" or len(y) != len(x):
        raise DataError(
            f"{data}: y is {y.dtype} of shape {y.shape}; it must be a whole number for each of the "
            f"{len(x)} samples"
        )
    labels = y.astype(np.int64)
    if len(labels) and labels.min() < 0:
        raise DataError(f"{data}: y has {labels.min()}; labels begin at 0")
    maps, family = _as_maps(data, x, family)
    rest, test = held_out(Part(maps, labels), _TEST, seed)
    train, validation = held_out(rest, _VALIDATION, seed + 1)
    return Task(family, int(labels.max(initial=0)) + 1, train, validation, test)


def _as_maps(data: Path, x: Numbers, family: Family | None) -> tuple[Floats, Family]:
    """Returns samples as maps. Axes of length 1 may be left out, as everywhere."""
    if x.dtype.kind not in "fiub":
        raise DataError(f"{data}: x is {x.dtype}; it must hold numbers")
    sides = list(x.shape[1:])
    family = family or _suggested(sides)
    wanted = _shape(sides, family)
    if wanted is None:
        raise DataError(
            f"{data}: x has shape {x.shape}; a {family} has "
            + ("[n][time][channels]" if family == "signal" else "[n][height][width][channels]")
        )
    return x.astype(np.float32).reshape(len(x), *wanted), family


def _suggested(sides: Sequence[int]) -> Family:
    """Returns the family of samples with these sides: a long axis beside few channels is time."""
    if len(sides) == 3:
        return "signal" if sides[0] == 1 else "picture"
    if len(sides) == 2:
        few = sides[1] <= _MOST_CHANNELS and sides[0] >= _LONG * sides[1]
        return "signal" if few else "picture"
    return "signal"


def _shape(sides: list[int], family: Family) -> Map | None:
    if family == "signal":
        if len(sides) == 3 and sides[0] == 1:
            sides = sides[1:]
        if len(sides) == 1:
            sides = [*sides, 1]
        return (1, sides[0], sides[1]) if len(sides) == 2 else None
    if len(sides) == 2:
        sides = [*sides, 1]
    return (sides[0], sides[1], sides[2]) if len(sides) == 3 else None


def held_out(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    """Returns a part without some samples of each class, and these."""
    random = np.random.default_rng(seed)
    held = np.zeros(len(part), bool)
    for label in np.unique(part.y):
        mine = random.permutation(np.flatnonzero(part.y == label))
        held[mine[: round(share * len(mine))]] = True
    return Part(part.x[~held], part.y[~held]), Part(part.x[held], part.y[held])
