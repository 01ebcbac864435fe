"""Draws random weights and biases for a layer, fitted so that its outputs are not clipped.

Memory and speed do not depend on the values of weights, but training does: if all outputs are at a
bound, no gradient passes, and nothing learns. So this fits the random values to the layer's output
for an example: channels that vary too much get smaller weights, and biases center each channel in
its range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Window

# In stored units of the output: the largest mean distance of a channel's values from their middle,
# and the height of the middles above the zero point, for layers that clip there and for others.
_SPREAD = 32.0
_CLIPPED, _LINEAR = (20, 100), (-20, 20)

# Integers far below 2^53: their sums are exact, in any order of addition.
Stored = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """w: [kernel rows][columns][in][out], depthwise [..][out]; b: [out]; y: their output."""

    w: npt.NDArray[np.int8]
    b: npt.NDArray[np.int32]
    y: Stored


@dataclass(frozen=True)
class Shape:
    """A layer's window and output channels. `depthwise`: each reads its own input channel."""

    window: Window
    out: int
    depthwise: bool = False


def drawn(x: Stored, shape: Shape, units: Stored, zero: int, random: np.random.Generator) -> Drawn:
    """Draws a layer for inputs like `x`, [height][width][channels], minus the zero point.

    units: the value of 1 in a sum, in stored units of the output, by channel; 0 for dead channels,
    whose weights and biases are 0. zero: zero point of the output.
    """
    channels = () if shape.depthwise else (x.shape[-1],)
    size = (*shape.window.kernel, *channels, shape.out)
    w = np.where(units > 0, random.integers(-127, 128, size), 0).astype(np.float64)
    sums = _sums(x, w, shape)
    spread = units * np.abs(sums - sums.mean(axis=(0, 1))).mean(axis=(0, 1))
    w = np.rint(w * np.minimum(1.0, _SPREAD / np.maximum(spread, 1e-9)))
    sums = _sums(x, w, shape)
    middles = random.integers(*(_CLIPPED if zero == -128 else _LINEAR), shape.out)
    missing = middles - units * sums.mean(axis=(0, 1))
    b = np.rint(np.divide(missing, units, out=np.zeros(shape.out), where=units > 0))
    y = np.clip(np.rint(units * (sums + b)) + zero, -128, 127)
    return Drawn(w.astype(np.int8), b.astype(np.int32), y)


def _sums(x: Stored, w: Stored, shape: Shape) -> Stored:
    """Returns the sums of products over the window, without bias: SPEC 2.1."""
    window = shape.window
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    rows, columns = (
        (n - k) // s + 1
        for n, k, s in zip(padded.shape, window.kernel, window.stride, strict=False)
    )
    total = np.zeros((rows, columns, shape.out))
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            down = slice(row, row + rows * window.stride[0], window.stride[0])
            across = slice(column, column + columns * window.stride[1], window.stride[1])
            part = padded[down, across]
            total += part * w[row, column] if shape.depthwise else part @ w[row, column]
    return total
