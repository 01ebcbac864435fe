"""Encodes real samples as the bytes of a network's input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Quant
from tinyflash.runtime.session import Int8Array


def stored(x: npt.NDArray[np.float32], quant: Quant) -> Int8Array:
    """Returns real / scale + zero, rounded to nearest and clamped: for int8 inputs."""
    steps = np.rint(x.astype(np.float64) / quant.scale[0]) + quant.zero
    clamped: Int8Array = np.clip(steps, -128, 127).astype(np.int8)
    return clamped
