"""A data set: a folder of recordings, their labels, and how they are split.

    dataset.toml         a frame, classes, recordings, corrections, splits, a hash for each shard
    shards/NAME.N.npz    frames of recordings, written once (data/shards.py)

A recording is what was recorded in one piece: it is never on both sides of a split. Its frames are
numbered at the rate of the set; numbers without a frame are a gap.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.data.numbers import finite, positive, whole
from tinyflash.errors import DataError, listed, printable
from tinyflash.files import read_bytes

FORMAT = 1
DESCRIPTION = "dataset.toml"
UNLABELLED = ""  # the label of a frame without one
LAST = 1 << 53  # the number of a frame
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LARGEST = 256 << 20  # bytes of a dataset.toml


@dataclass(frozen=True)
class Frames:
    """What a frame is, the same in the whole set.

    shape: [channels] of a signal, [rows, columns, channels] of a picture. rate: frames per second;
    None if they follow no clock. units: one per channel. A stored number n is n * scale + offset in
    real units. front_end: what made the stored numbers of the sensor's.
    """

    shape: tuple[int, ...]
    rate: float | None = None
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    scale: float = 1.0
    front_end: str = "raw"
    offset: float = 0.0

    def real(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Returns stored numbers in real units."""
        return stored.astype(np.float64) * self.scale + self.offset


@dataclass(frozen=True)
class Piece:
    """Consecutive frames of a recording: `count` rows of a shard from `row` on; the first is number
    `first` of the recording."""

    shard: str
    row: int
    first: int
    count: int


@dataclass(frozen=True)
class Recording:
    """source: where it is from, for people."""

    name: str
    pieces: tuple[Piece, ...]
    subject: str = ""
    session: str = ""
    source: str = ""

    @property
    def count(self) -> int:
        """The number of its frames, without those that are missing."""
        return sum(piece.count for piece in self.pieces)

    @property
    def end(self) -> int:
        """One more than the number of its last frame."""
        return self.pieces[-1].first + self.pieces[-1].count if self.pieces else 0

    @property
    def missing(self) -> int:
        """The number of frames in its gaps; one may be before its first frame."""
        return self.end - self.count


@dataclass(frozen=True)
class Correction:
    """A label that a person has changed: of frames `first` to `last` of a recording, both included,
    by their numbers. The shards keep what was recorded."""

    recording: str
    first: int
    last: int
    label: str


@dataclass(frozen=True)
class Dataset:
    """splits: names of recordings by the name of the part. digests: SHA-256 of each shard."""

    folder: Path
    frames: Frames
    classes: tuple[str, ...] = ()
    recordings: tuple[Recording, ...] = ()
    corrections: tuple[Correction, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    split_by: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    def recording(self, name: str) -> Recording:
        for recording in self.recordings:
            if recording.name == name:
                return recording
        raise DataError(f"{self.folder} has no recording {name!r}; see tinyflash data show")

    def part(self, name: str | None) -> tuple[Recording, ...]:
        """Returns the recordings of one part of the split; None: all."""
        if name is None:
            return self.recordings
        if name not in self.splits:
            there = listed(list(self.splits)) or "none"
            raise DataError(
                f"{self.folder} has no part {name!r} (it has {there}); run tinyflash data split"
            )
        wanted = set(self.splits[name])
        return tuple(one for one in self.recordings if one.name in wanted)


def is_dataset(path: Path) -> bool:
    return path.is_dir()


def load(folder: Path) -> Dataset:
    """Reads dataset.toml. Raises DataError if it is missing or makes no sense."""
    path = folder / DESCRIPTION
    try:
        text = read_bytes(path, _LARGEST).decode("utf-8")
        return _dataset(folder, tomllib.loads(text))
    except FileNotFoundError:
        raise DataError(
            f"{folder} is no data set: it has no {DESCRIPTION}; make one with tinyflash data import"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: {error}") from None
    except RecursionError:
        raise DataError(f"{path}: its lists are nested too deeply") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not a data set's: {_why(error)}") from None


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _dataset(folder: Path, table: dict[str, Any]) -> Dataset:
    if table["format"] != FORMAT:
        raise ValueError(f"format {table['format']!r} is not {FORMAT}; update tinyflash")
    shape = tuple(whole(side, "frame") for side in table["frame"])
    rate = table.get("rate")
    frames = Frames(
        shape,
        None if rate is None else positive(rate, "rate"),
        _texts(table.get("channels", []), "channels"),
        _texts(table.get("units", []), "units"),
        positive(table.get("scale", 1.0), "scale"),
        str(table.get("front_end", "raw")),
        finite(table.get("offset", 0.0), "offset"),
    )
    said = _table(table, "splits")
    splits = {str(k): _texts(v, k) for k, v in said.items() if k != "by"}
    dataset = Dataset(
        folder,
        frames,
        _texts(table["classes"], "classes"),
        tuple(_recording(entry) for entry in table.get("recordings", [])),
        tuple(Correction(*_row(row, str, int, int, str)) for row in table.get("corrections", [])),
        splits,
        str(said.get("by", "")),
        {str(name): str(digest) for name, digest in _table(table, "shards").items()},
    )
    check(dataset)
    return dataset


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise ValueError(f"[{name}] is not a table")
    return value


def _recording(entry: dict[str, Any]) -> Recording:
    pieces = tuple(Piece(*_row(row, str, int, int, int)) for row in entry["pieces"])
    texts = (str(entry.get(key, "")) for key in ("subject", "session", "source"))
    return Recording(str(entry["name"]), pieces, *texts)


def _row(row: Sequence[object], *kinds: type) -> list[Any]:
    if len(row) != len(kinds) or any(type(v) is not k for v, k in zip(row, kinds, strict=True)):
        raise ValueError(f"{row!r} should be {[kind.__name__ for kind in kinds]}")
    return list(row)


def _texts(values: Any, what: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{what} is not a list of texts")
    return tuple(values)


def check(dataset: Dataset) -> None:
    """Raises ValueError if frames make no sense, names are doubled or unknown, or pieces are out of
    order."""
    check_frames(dataset.frames)
    _check_unique(dataset.classes, "class")
    _check_unique([one.name for one in dataset.recordings], "recording")
    if UNLABELLED in dataset.classes:
        raise ValueError("a class has no name")
    names = {one.name for one in dataset.recordings}
    for part, there in dataset.splits.items():
        if unknown := [name for name in there if name not in names]:
            raise ValueError(f"splits.{part} has recording {unknown[0]!r}, which the set has not")
    _check_unique([name for there in dataset.splits.values() for name in there], "split recording")
    for recording in dataset.recordings:
        _check_recording(recording)
    for one in dataset.corrections:
        if one.recording not in names or one.label not in (*dataset.classes, UNLABELLED):
            raise ValueError(
                f"corrections: the set has no recording {printable(one.recording)!r}, or no class "
                f"{printable(one.label)!r}"
            )


def check_frames(frames: Frames) -> None:
    """Raises ValueError if a set cannot have such frames."""
    if not frames.shape:
        raise ValueError("frame has no side")
    for side in frames.shape:
        whole(side, "frame")
    if frames.rate is not None:
        positive(frames.rate, "rate")
    positive(frames.scale, "scale")
    finite(frames.offset, "offset")
    for what in ("channels", "units"):
        names = getattr(frames, what)
        if names and len(names) != frames.shape[-1]:
            raise ValueError(f"{what} has not the {frames.shape[-1]} names of a frame's")


def _check_unique(names: Sequence[str], what: str) -> None:
    ordered = sorted(names)
    for one, other in pairwise(ordered):
        if one == other:
            raise ValueError(f"{what} {one!r} is there twice")


def _check_recording(recording: Recording) -> None:
    if not NAME.fullmatch(recording.name):
        raise ValueError(
            f"recording {printable(recording.name)!r}: a name has 1 to 100 letters, digits, "
            "'_', '-' and '.'"
        )
    end = 0
    for piece in recording.pieces:
        if piece.count < 1 or piece.row < 0 or piece.first < end or "/" in piece.shard:
            raise ValueError(f"recording {recording.name}: piece {piece.shard!r} is out of order")
        end = piece.first + piece.count
        if end > LAST:
            raise ValueError(f"recording {recording.name}: frame {end} has too large a number")


def with_classes(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Returns the set with more classes, behind those that it has."""
    more = [name for name in dict.fromkeys(names) if name and name not in dataset.classes]
    return replace(dataset, classes=(*dataset.classes, *more))
