"""Recordings that an emulated board's sensor gives again: from files as `data import` reads them,
and from sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers
from tinyflash.boards.replay import Replay
from tinyflash.data import shards
from tinyflash.data.dataset import DESCRIPTION, Frames
from tinyflash.data.intake.files import Intake, files_in
from tinyflash.data.opened import opened
from tinyflash.errors import DataError

_HIGHEST = 32767


def replay_of(path: Path, rate: float | None = None) -> Replay:
    """Reads a recording: a CSV or sound file, a folder of pictures, SET/NAME for a recording of a
    set, or SET for all of them. rate: frames per second; None: those of the recording. Raises
    DataError."""
    if (path / DESCRIPTION).is_file():
        return _of_set(path, None, rate)
    if not path.exists() and (path.parent / DESCRIPTION).is_file():
        return _of_set(path.parent, path.name, rate)
    paths = files_in([path])
    read = [Intake(rate=rate).read(one) for one in paths]
    frames = read[0].frames
    if len(frames.shape) == 1 and len(read) > 1:
        raise DataError(f"{path} has {len(read)} recordings; replay one, or import them into a set")
    for one in read:
        if one.frames.shape != frames.shape:
            raise DataError(f"{one.source} has frames of another shape than {read[0].source}")
    values = np.concatenate([one.values for one in read])
    return replay_from(path.stem, values, replace(frames, rate=rate or frames.rate))


def _of_set(folder: Path, name: str | None, rate: float | None) -> Replay:
    """Gaps are left out: the sensor goes on with the frame after them."""
    dataset = opened(folder)
    chosen = dataset.recordings if name is None else [dataset.recording(name)]
    parts = [shards.read(dataset, one).frames for one in chosen]
    if not parts:
        raise DataError(f"{folder} has no recording to replay")
    frames = replace(dataset.frames, rate=rate or dataset.frames.rate)
    return replay_from(name or folder.name, np.concatenate(parts), frames)


def replay_from(name: str, values: Numbers, frames: Frames) -> Replay:
    """Returns a recording as int16, in the finest unit that holds all of it. values: stored numbers
    [n, *shape]."""
    if frames.rate is None:
        raise DataError(f"{name} does not say how many frames there are per second; give --rate")
    names: Sequence[str] = frames.channels
    if values.dtype in (np.int8, np.uint8, np.int16) and not frames.offset:
        stored, scale = values.astype(np.int16), frames.scale
    else:
        stored, scale = _quantized(name, frames.real(values))
    return Replay(name, stored, frames.rate, scale, names, frames.units)


def _quantized(name: str, real: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int16], float]:
    """Returns real numbers in a unit that is a power of 2."""
    largest = float(np.abs(real).max(initial=0.0))
    if not math.isfinite(largest):
        raise DataError(f"{name} holds what is not a number")
    exponent = math.ceil(math.log2(largest / _HIGHEST)) if largest else 0
    scale = 2.0**exponent
    return np.rint(real / scale).astype(np.int16), scale
