"""WAV, FLAC and what else libsndfile reads. Imports soundfile, an extra, only when called."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import Frames
from tinyflash.data.intake.recorded import LARGEST, Recorded
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes
from tinyflash.paths import how_to_install

SUFFIXES = (".wav", ".flac", ".ogg", ".aif", ".aiff")
_BLOCK = 1 << 20  # frames that are read at once
_WHOLE = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def read_audio(path: Path) -> Recorded:
    """Reads a file of sound: values as it has them, whole numbers of 8 to 32 bits or floats; the
    scale makes 1.0 of full scale. Raises DataError if it cannot be read."""
    try:
        import soundfile
    except (ImportError, OSError):
        raise DataError(f"{path} needs soundfile; run: {how_to_install('soundfile')}") from None
    try:
        content = BytesIO(read_bytes(path, LARGEST))
        with soundfile.SoundFile(content) as file:
            bits = _WHOLE.get(file.subtype)
            rate = float(file.samplerate)
            kind = "float32" if bits is None else "int16" if bits <= 16 else "int32"
            values = _whole_content(file, kind)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
    except (RuntimeError, ValueError, TypeError) as error:  # soundfile's own, of damaged files
        why = str(getattr(error, "error_string", error))  # without the name of the buffer
        raise DataError(f"{path} is not a whole file of sound: {printable(why)}") from None
    if not len(values):
        raise DataError(f"{path} has no sound in it")
    shift = 0 if bits is None else (16 if bits <= 16 else 32) - bits
    numbers = np.arange(len(values), dtype=np.int64)
    scale = 1.0 if bits is None else 2.0 ** (1 - bits)
    count = values.shape[1]
    channels = ("mono",) if count == 1 else tuple(f"channel{n}" for n in range(count))
    frames = Frames((count,), rate, channels, scale=scale)
    whole = values if bits is None else values >> shift
    return Recorded(path, frames, whole, numbers, [""] * len(values))


def _whole_content(file: Any, kind: str) -> npt.NDArray[Any]:
    """Reads what is there, not what the header promises: that may be more than any memory."""
    blocks = [np.zeros((0, file.channels), kind)]
    while len(block := file.read(_BLOCK, dtype=kind, always_2d=True)):
        blocks.append(block)
    return np.concatenate(blocks)
