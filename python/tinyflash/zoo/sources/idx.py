"""Reads the IDX format of MNIST and similar sets: a header of sizes, then bytes, compressed with
gzip."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError

Bytes = npt.NDArray[np.uint8]

_UINT8 = 8  # the only type read
_LARGEST = 1 << 28  # bytes


def read_idx(path: Path) -> Bytes:
    """Returns the array in a .gz file of unsigned bytes."""
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise DataError(f"{path}: not an IDX file of unsigned bytes")
    sizes = content[4 : 4 + 4 * content[3]]
    if len(sizes) < 4 * content[3]:
        raise DataError(f"{path}: its header is cut off; fetch it again")
    shape = struct.unpack(f">{content[3]}I", sizes)
    data = np.frombuffer(content, np.uint8, offset=4 + len(sizes))
    if data.size != np.prod(shape, dtype=np.float64):
        raise DataError(
            f"{path}: has {data.size} elements, its header says {shape}; fetch it again"
        )
    return data.reshape(shape)
