"""Journals: the shards of recordings that come from a board. Frames are appended as they come, and
are on the disk before the board is told so.

A file is "TFF1", then records: bytes of the content 32, CRC-32 of it 32, the content. Its first
byte is the kind:

    A  JSON: frame (its shape), about (name, subject, session, source), run (of the board's sensor)
    F  number of the first frame 64, seconds by the board's clock as a double, int16 numbers
    L  number of the first frame that has this label 64, the label in UTF-8; empty: without one

What follows a record that is not whole, as a process that was killed leaves it, counts for nothing:
it was never acknowledged. Numbers that are in no record are gaps.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers
from tinyflash.errors import DataError
from tinyflash.files import read_bytes

SUFFIX = ".frames"
_MAGIC = b"TFF1"
_HEAD = struct.Struct("<II")  # bytes, CRC-32
_FRAMES = struct.Struct("<cQd")  # kind, first, seconds
_LABEL = struct.Struct("<cQ")  # kind, first
_LARGEST = 4 << 30  # bytes of a file
_LAST = 1 << 53  # the number of a frame
_NONE = -1  # no label


class Journal:
    """Writes a journal. A context manager. What was synced is on the disk."""

    def __init__(
        self, path: Path, shape: tuple[int, ...], about: tuple[str, str, str, str], run: int
    ) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        except OSError as error:
            raise DataError(f"{path} cannot be written ({error.strerror})") from None
        text = json.dumps({"frame": shape, "about": about, "run": run})
        self._write(_MAGIC + _record(b"A" + text.encode()))
        self.sync()
        _sync_folder(path.parent)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def frames(self, first: int, frames: npt.NDArray[np.int16], seconds: float) -> None:
        """Appends frames [n, *shape], numbered from `first` on."""
        head = _FRAMES.pack(b"F", first, seconds)
        self._write(_record(head + frames.astype("<i2").tobytes()))

    def label(self, first: int, label: str) -> None:
        """Says what frames from number `first` on are; never before an earlier label's first."""
        self._write(_record(_LABEL.pack(b"L", first) + label.encode()))

    def sync(self) -> None:
        """Returns when all of it is on the disk, under its name."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from None
        try:
            is_there = os.path.samestat(self.path.stat(), os.fstat(self._file))
        except OSError:
            is_there = False
        if not is_there:
            raise DataError(
                f"{self.path} was moved or removed while frames came; collect again, and leave the "
                "folder where it is until it is done"
            )

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path} cannot be written ({error.strerror}); what was acknowledged is safe"
        )


_BINARY = getattr(os, "O_BINARY", 0)  # of Windows


def _record(content: bytes) -> bytes:
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def _sync_folder(folder: Path) -> None:
    """Returns when the name of a new file is on the disk, where a system can say so."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass
class _Content:
    """What has been read so far."""

    shape: tuple[int, ...]
    about: list[str]
    parts: list[npt.NDArray[np.int16]] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of labels
    labels: list[str] = field(default_factory=list)
    end: int = 0

    def add(self, content: bytes) -> None:
        """Takes one more record. Raises ValueError, struct.error or UnicodeDecodeError if it does
        not follow."""
        if content[:1] == b"F":
            _, first, _seconds = _FRAMES.unpack_from(content)
            numbers = np.frombuffer(content, "<i2", offset=_FRAMES.size).astype(np.int16)
            frames = numbers.reshape(-1, *self.shape)
            if first < self.end or not len(frames) or first + len(frames) > _LAST:
                raise ValueError(f"frame {first} after {self.end}")
            self.parts.append(frames)
            self.firsts.append(first)
            self.end = first + len(frames)
        elif content[:1] == b"L":
            _, first = _LABEL.unpack_from(content)
            if first < (self.starts[-1] if self.starts else 0):
                raise ValueError("labels are out of order")
            self.starts.append(first)
            self.labels.append(content[_LABEL.size :].decode())
        else:
            raise ValueError("a record of an unknown kind")


def load(path: Path) -> dict[str, Numbers]:
    """Reads a journal, whole or broken off, as the arrays of a shard (data/shards.py), with the
    `numbers` of its frames. Raises DataError."""
    try:
        data = read_bytes(path, _LARGEST)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    records = _records(data)
    try:
        content = _begun(next(records))
        for record in records:
            content.add(record)
    except (StopIteration, ValueError, KeyError, TypeError, struct.error) as error:
        raise DataError(
            f"{path} is not a shard of a data set: {str(error) or 'it is empty'}"
        ) from None
    return _arrays(content)


def _begun(record: bytes) -> _Content:
    """Returns a content without frames. Raises ValueError, KeyError or TypeError."""
    if record[:1] != b"A":
        raise ValueError("it does not begin as one")
    said: dict[str, Any] = json.loads(record[1:])
    shape, about = tuple(int(side) for side in said["frame"]), [str(text) for text in said["about"]]
    if len(about) != 4 or not shape or min(shape) < 1 or math.prod(shape) > _LARGEST:
        raise ValueError("it does not say what its frames are")
    return _Content(shape, about)


def _records(data: bytes) -> Iterator[bytes]:
    """Yields the content of each record, up to the first that is not whole."""
    place = len(_MAGIC)
    if data[:place] != _MAGIC:
        return
    while place + _HEAD.size <= len(data):
        size, crc = _HEAD.unpack_from(data, place)
        content = data[place + _HEAD.size : place + _HEAD.size + size]
        if len(content) < size or zlib.crc32(content) != crc:
            return
        yield content
        place += _HEAD.size + size


def _arrays(content: _Content) -> dict[str, Numbers]:
    counts = [len(part) for part in content.parts]
    firsts = np.array(content.firsts, np.int64)
    within = np.arange(sum(counts)) - np.repeat(np.cumsum([0, *counts[:-1]])[: len(counts)], counts)
    numbers = np.repeat(firsts, counts) + within
    names = list(dict.fromkeys(label for label in content.labels if label))
    known = {name: at for at, name in enumerate(names)} | {"": _NONE}
    by_start = np.array([_NONE, *(known[label] for label in content.labels)], np.int32)
    labels = by_start[np.searchsorted(np.array(content.starts, np.int64), numbers, side="right")]
    empty = np.zeros((0, *content.shape), np.int16)
    return {
        "frames": np.concatenate([empty, *content.parts]),
        "labels": labels,
        "names": np.array(names or [""], np.str_),
        "first": np.array(numbers[0] if len(numbers) else 0, np.int64),
        "about": np.array(content.about, np.str_),
        "numbers": numbers,
    }
