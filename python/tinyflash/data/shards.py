"""Shards: files of frames and their labels. Those of `append` are .npz, each written once and
whole; those of a board are journals (data/journal.py), which `load_shard` reads, too.

An .npz file needs no other library to read, and its CRCs tell a damaged one. A shard that was
written is never changed: a set grows by whole files, so a crash can cost only what was not yet
written. What a set does not list, because a crash came between, `recover` finds again.

    frames  [n, *frame]    stored numbers
    labels  int32 [n]      number of the class in `names`, -1 without a label
    names   text [classes]
    first   int64          the number of the first frame in its recording
    about   text [4]       name, subject, session, source of the recording

A shard that `adopt` cannot place, with frames of several recordings, has no `about`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.data import journal
from tinyflash.data.dataset import Dataset, Piece, Recording, with_classes
from tinyflash.errors import DataError
from tinyflash.files import write_bytes

FOLDER = "shards"
NONE = -1  # no label
_LARGEST = 2 << 30  # bytes of numbers
_FILE = re.compile(r"(?P<name>.+)\.(?P<number>\d{6})\.(npz|frames)")

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Track:
    """Frames of a recording: stored numbers [n, *frame]; the number of each [n], ascending; labels
    [n] as numbers of the set's classes, NONE without one."""

    frames: Numbers
    numbers: npt.NDArray[np.int64]
    labels: Labels


def append(dataset: Dataset, about: Recording, track: Track) -> Dataset:
    """Writes a shard with more frames of a recording, and returns the set with it; `text.save`
    lists it. about: the recording, whose pieces are ignored. One shard for each run of numbers."""
    for begin, end in runs(track.numbers):
        part = Track(track.frames[begin:end], track.numbers[begin:end], track.labels[begin:end])
        dataset = _append(dataset, about, part)
    return dataset


def runs(numbers: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Returns begin and end of each run of consecutive numbers."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    edges = [0, *breaks.tolist(), len(numbers)]
    return list(pairwise(edges))


def _append(dataset: Dataset, about: Recording, track: Track) -> Dataset:
    if track.frames.shape[1:] != dataset.frames.shape:
        raise DataError(
            f"recording {about.name}: a frame has shape {track.frames.shape[1:]}; those of "
            f"{dataset.folder} have {dataset.frames.shape}"
        )
    before = next((one for one in dataset.recordings if one.name == about.name), None)
    pieces = before.pieces if before else ()
    end = pieces[-1].first + pieces[-1].count if pieces else 0
    first = int(track.numbers[0])
    if first < end:
        raise DataError(f"recording {about.name} has frame {first} already; choose another name")
    file = f"{about.name}.{len(pieces):06d}.npz"
    texts = (about.name, about.subject, about.session, about.source)
    content = BytesIO()
    np.savez_compressed(
        content,
        frames=track.frames,
        labels=track.labels,
        names=np.array(dataset.classes or [""], np.str_),
        first=np.int64(first),
        about=np.array(texts, np.str_),
    )
    write_bytes(dataset.folder / FOLDER / file, content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    piece = Piece(file, 0, first, len(track.frames))
    grown = replace(before or about, pieces=(*pieces, piece))
    others = [one for one in dataset.recordings if one.name != about.name]
    return replace(
        dataset,
        recordings=(*others, grown) if before is None else _replaced(dataset, grown),
        digests={**dataset.digests, file: digest},
    )


def _replaced(dataset: Dataset, grown: Recording) -> tuple[Recording, ...]:
    return tuple(grown if one.name == grown.name else one for one in dataset.recordings)


def read(dataset: Dataset, recording: Recording) -> Track:
    """Reads a recording, with the corrections of its labels. Raises DataError if a shard is missing
    or damaged, or has other frames than the set lists."""
    parts = [_piece(dataset, piece) for piece in recording.pieces]
    if not parts:
        empty = np.zeros((0, *dataset.frames.shape))
        return Track(empty, np.zeros(0, np.int64), np.zeros(0, np.int32))
    track = Track(
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    labels = track.labels.copy()
    for correction in dataset.corrections:
        if correction.recording == recording.name:
            span = (track.numbers >= correction.first) & (track.numbers <= correction.last)
            known = correction.label in dataset.classes
            labels[span] = dataset.classes.index(correction.label) if known else NONE
    return replace(track, labels=labels)


def _piece(dataset: Dataset, piece: Piece) -> Track:
    path = dataset.folder / FOLDER / piece.shard
    arrays = load_shard(path)
    frames, labels = arrays["frames"], arrays["labels"]
    end = piece.row + piece.count
    if frames.shape[1:] != dataset.frames.shape or len(frames) < end or len(labels) != len(frames):
        raise DataError(f"{path} does not hold the frames that {dataset.folder} lists")
    numbers = np.arange(piece.first, piece.first + piece.count, dtype=np.int64)
    own = _own_labels(dataset, arrays, path)
    return Track(frames[piece.row : end], numbers, own[piece.row : end])


def _own_labels(dataset: Dataset, arrays: dict[str, Numbers], path: Path) -> Labels:
    """Returns a shard's labels as numbers of the set's classes, by their names."""
    names = [str(name) for name in arrays["names"]]
    labels = arrays["labels"].astype(np.int64)
    if labels.ndim != 1 or labels.min(initial=0) < NONE or labels.max(initial=0) >= len(names):
        raise DataError(f"{path} has labels outside its {len(names)} names")
    known = {name: number for number, name in enumerate(dataset.classes)}
    table = np.array([*(known.get(name, NONE) for name in names), NONE], np.int32)
    own: Labels = table[labels]
    return own


def load_shard(path: Path) -> dict[str, Numbers]:
    """Reads a shard. Raises DataError if it is not one."""
    if path.suffix == journal.SUFFIX:
        return journal.load(path)
    arrays = load_arrays(path, _LARGEST, "a whole shard of a data set")
    missing = {"frames", "labels", "names", "first"} - set(
        arrays if isinstance(arrays, dict) else ()
    )
    if missing or isinstance(arrays, np.ndarray):
        raise DataError(f"{path} is not a shard of a data set")
    if arrays["frames"].dtype.kind not in "iuf" or arrays["labels"].dtype.kind not in "iu":
        raise DataError(f"{path} is not a shard of a data set: its frames are not numbers")
    return arrays


def damaged(dataset: Dataset) -> list[str]:
    """Returns the shards that are missing or whose SHA-256 is not the listed one."""
    return [name for name, digest in dataset.digests.items() if _digest(dataset, name) != digest]


def _digest(dataset: Dataset, name: str) -> str:
    path = dataset.folder / FOLDER / name
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def recover(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Returns the set with the shards that a crash has left unlisted, and their names. Those that
    are not whole, or do not follow what is listed, are left alone."""
    found = sorted(path.name for path in (dataset.folder / FOLDER).glob("*"))
    names = [name for name in found if name not in dataset.digests and _FILE.fullmatch(name)]
    taken = []
    for name in names:
        try:
            dataset = adopted(dataset, name)
        except (DataError, KeyError, ValueError):
            continue
        taken.append(name)
    return dataset, taken


def adopted(dataset: Dataset, file: str) -> Dataset:
    """Returns the set with a shard that it does not list yet: at the end of its recording, or as a
    new one. Raises DataError, KeyError or ValueError if it is not whole or does not follow."""
    arrays = load_shard(dataset.folder / FOLDER / file)
    name, subject, session, source = (str(text) for text in arrays["about"])
    before = next((one for one in dataset.recordings if one.name == name), None)
    about = before or Recording(name, (), subject, session, source)
    end = about.pieces[-1].first + about.pieces[-1].count if about.pieces else 0
    numbers = _numbers(arrays)
    if arrays["frames"].shape[1:] != dataset.frames.shape or not len(numbers) or numbers[0] < end:
        raise ValueError(f"{file} does not follow what is listed")
    pieces = tuple(
        Piece(file, begin, int(numbers[begin]), after - begin) for begin, after in runs(numbers)
    )
    grown = replace(about, pieces=(*about.pieces, *pieces))
    dataset = with_classes(dataset, [str(label) for label in arrays["names"]])
    recordings = _replaced(dataset, grown) if before else (*dataset.recordings, grown)
    digests = {**dataset.digests, file: _digest(dataset, file)}
    return replace(dataset, recordings=recordings, digests=digests)


def _numbers(arrays: dict[str, Numbers]) -> npt.NDArray[np.int64]:
    """Returns the number of each frame of a shard: one of files has no gap."""
    if "numbers" in arrays:
        return arrays["numbers"].astype(np.int64)
    return int(arrays["first"]) + np.arange(len(arrays["frames"]), dtype=np.int64)


def label_numbers(dataset: Dataset, names: Sequence[str]) -> Labels:
    """Returns labels as numbers of the set's classes; NONE for names that it does not have."""
    known = {name: number for number, name in enumerate(dataset.classes)}
    return np.array([known.get(name, NONE) for name in names], np.int32)


def append_items(
    dataset: Dataset, items: Sequence[Recording], frames: Numbers, labels: Labels
) -> Dataset:
    """Writes one shard with a frame for each of several recordings, such as pictures; returns the
    set with them."""
    taken = len(dataset.digests)
    file = f"items.{taken:06d}.npz"
    content = BytesIO()
    names = np.array(dataset.classes or [""], np.str_)
    np.savez_compressed(content, frames=frames, labels=labels, names=names, first=np.int64(0))
    write_bytes(dataset.folder / FOLDER / file, content.getvalue())
    placed = tuple(
        replace(item, pieces=(Piece(file, row, 0, 1),)) for row, item in enumerate(items)
    )
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    return replace(
        dataset,
        recordings=(*dataset.recordings, *placed),
        digests={**dataset.digests, file: digest},
    )
