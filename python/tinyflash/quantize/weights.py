"""Quantizes weights to int8, symmetric, one scale per output channel, and biases to int32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Quant
from tinyflash.limits import INT32_MAX, products_left
from tinyflash.operators import OPERATORS
from tinyflash.quantize.floatgraph.graph import FloatNode, Floats, Weights

# In place of scale 0, of a channel without weights: its multiplier is 0 as well (SPEC 7).
SILENT_SCALE = 2.0**-100
_LARGEST_SCALE = 1e30

Stored = tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], Quant]


def stored_weights(node: FloatNode, x: Quant) -> Stored:
    """Returns weights, biases, and the scales of the weights. x: the coding of the layer's
    input."""
    axis, weights = OPERATORS[node.op].out_axis, node.learned
    terms = weights.w.size // len(weights.b)
    limit = max(products_left(terms), 1)  # SPEC 6.5
    given = np.array(weights.scales, np.float32)
    scales = given if given.size else _scales(weights, axis, x.scale[0] * limit)
    if not (scales < _LARGEST_SCALE).all():
        raise ValueError("weights or biases are too large for any scale; train it again")
    spread = np.broadcast_to(scales, weights.b.shape).astype(np.float64)
    sides = [1] * weights.w.ndim
    sides[axis] = -1
    lowest = -128 if given.size else -127  # which only a file's own weights may use
    w = np.clip(np.rint(weights.w / spread.reshape(sides)), lowest, 127).astype(np.int8)
    b = np.rint(weights.b / (x.scale[0] * spread))
    if not given.size:  # float32 scales, chosen such that the bias just fits
        b = np.clip(b, -limit, limit)
    if (np.abs(b) > INT32_MAX).any():
        raise ValueError("a bias is too large for the scales of input and weights")
    return (
        w,
        b.astype(np.int32),
        Quant(tuple(float(s) for s in scales), 0, axis if len(scales) > 1 else 0),
    )


def _scales(weights: Weights, axis: int, reach: float) -> Floats:
    """Returns scales such that the largest weight of a channel is 127, or less if its bias would
    not fit: the largest bias is `reach` times the scale.

    A channel of zeros gets the layer's largest scale: a tiny one would make it untrainable.
    """
    others = tuple(i for i in range(weights.w.ndim) if i != axis)
    peaks = np.abs(weights.w).max(axis=others).astype(np.float64)
    peaks = np.where(peaks > 0, peaks, float(peaks.max()) or 1.0) / 127
    with np.errstate(over="ignore"):  # rejected later
        scales: Floats = np.maximum(peaks, np.abs(weights.b) / reach).astype(np.float32)
    return np.maximum(scales, np.float32(1e-30))
