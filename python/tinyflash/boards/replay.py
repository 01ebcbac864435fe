"""What an emulated board's sensor gives: a recording, as the file that boards/parts/sensor_file
reads."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash import files
from tinyflash.boards.emulator import SENSOR
from tinyflash.errors import DataError

_HEAD = struct.Struct("<4sIHHIdI64s64s64s")  # file_head of boards/parts/sensor_file
_MAGIC = b"TFS1"
_TEXT = 63  # bytes of a text, without its end
_LARGEST = 1 << 31  # bytes of a file: the board's offsets have 32 bits
_FASTEST = (1 << 32) - 1  # mHz


@dataclass(frozen=True)
class Replay:
    """A recording. frames int16 [n, *shape], n > 0; shape: [channels] or [rows, columns, channels].
    rate: frames per second. A stored number n is n * scale in real units. names, units: one per
    channel, or none."""

    name: str
    frames: npt.NDArray[np.int16]
    rate: float
    scale: float = 1.0
    names: Sequence[str] = ()
    units: Sequence[str] = ()


def write_replay(folder: Path, replay: Replay) -> None:
    """Writes the file of the sensor into the emulator's folder. Raises DataError if no sensor can
    be like that."""
    shape, content = replay.frames.shape[1:], replay.frames.astype("<i2").tobytes()
    millihertz = round(replay.rate * 1000)
    if not 0 < millihertz <= _FASTEST:
        raise DataError(f"{replay.name}: a sensor cannot give {replay.rate:g} frames per second")
    if not len(replay.frames) or len(content) >= _LARGEST:
        raise DataError(f"{replay.name}: {len(replay.frames):,} frames are none, or too many")
    if len(shape) not in (1, 3) or any(side >= 1 << 16 for side in shape):
        raise DataError(f"{replay.name}: no sensor gives frames of shape {list(shape)}")
    rows, columns = (0, 0) if len(shape) == 1 else shape[:2]
    texts = (replay.name, ",".join(replay.names), ",".join(replay.units))
    named = [_text(text) for text in texts]
    head = _HEAD.pack(
        *(_MAGIC, millihertz, rows, columns, shape[-1], replay.scale, len(replay.frames), *named)
    )
    files.write_bytes(folder / SENSOR, head + content)


def _text(text: str) -> bytes:
    """As many bytes as a sensor has for it, not cut within a character."""
    return text.encode()[:_TEXT].decode(errors="ignore").encode()
