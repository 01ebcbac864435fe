"""What every reader of a format returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers
from tinyflash.data.dataset import Frames

LARGEST = 1 << 30  # bytes of a file that is read


@dataclass(frozen=True)
class Recorded:
    """One file: what its frames are; values [n, *shape] as the file has them; numbers [n] of the
    frames, with gaps; a label for each frame, "" without one. part: of a split that the file says,
    or ""."""

    source: Path
    frames: Frames
    values: Numbers
    numbers: npt.NDArray[np.int64]
    labels: Sequence[str]
    part: str = ""


def compact(values: Numbers) -> Numbers:
    """Returns the same numbers in the first of int16, int32 and float32 that holds each of them
    exactly, or as they are."""
    for kind in (np.int16, np.int32, np.float32):
        with np.errstate(invalid="ignore", over="ignore"):
            smaller = values.astype(kind)
        if np.array_equal(smaller.astype(values.dtype), values):
            return smaller
    return values


def recording_name(source: Path, taken: set[str]) -> str:
    """Returns a name for a recording: its file's, made printable, and unlike those taken."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", source.stem)[:80].strip(".-") or "recording"
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}-{count}"
    return name
