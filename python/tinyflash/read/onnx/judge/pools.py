"""Pools as ONNX Runtime and PyTorch compute them, for onnx's reference evaluator.

Its own put half of what rounding up adds before the map, and walk every output in Python.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Side:
    """One spatial axis: where each tap reads at each output, [count][kernel]; padding: given ones,
    which count where padding counts."""

    at: npt.NDArray[np.int64]
    size: int
    padding: tuple[int, int]

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.at >= 0) & (self.at < self.size))

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        before, after = self.padding
        return np.asarray((self.at >= -before) & (self.at < self.size + after))


def pool(x: Array, attributes: Mapping[str, Any], *, largest: bool) -> Array:
    """MaxPool (`largest`) or AveragePool of x [n][channels][...]."""
    sides = _sides(x.shape[2:], attributes)
    total = _largest(x, sides) if largest else _sum(x, sides)
    if largest:
        return total
    padded = bool(attributes.get("count_include_pad"))
    counts = [(s.counted if padded else s.inside).sum(axis=1) for s in sides]
    number = math.prod(np.ix_(*counts)) if len(counts) > 1 else counts[0]
    return np.asarray(total / np.maximum(number, 1), x.dtype)


def _taps(sides: Sequence[_Side]) -> itertools.product[tuple[int, ...]]:
    return itertools.product(*(range(side.at.shape[1]) for side in sides))


def _seen(x: Array, sides: Sequence[_Side], tap: tuple[int, ...], fill: float) -> Array:
    """What one tap of the kernel reads at every output."""
    for axis, (side, k) in enumerate(zip(sides, tap, strict=True), 2):
        x = x.take(np.clip(side.at[:, k], 0, side.size - 1), axis)
        shape = [1] * x.ndim
        shape[axis] = -1
        x = np.where(side.inside[:, k].reshape(shape), x, np.asarray(fill, x.dtype))
    return x


def _sum(x: Array, sides: Sequence[_Side]) -> Array:
    wide = x.astype(np.float64)
    return np.asarray(sum(_seen(wide, sides, tap, 0.0) for tap in _taps(sides)))


def _largest(x: Array, sides: Sequence[_Side]) -> Array:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    seen = (_seen(x, sides, tap, lowest) for tap in _taps(sides))
    y = next(seen)
    for one in seen:
        y = np.maximum(y, one)
    return y


def _sides(sizes: Sequence[int], attributes: Mapping[str, Any]) -> list[_Side]:
    rank = len(sizes)
    kernel = attributes["kernel_shape"]
    stride = attributes.get("strides") or [1] * rank
    dilation = attributes.get("dilations") or [1] * rank
    pads = attributes.get("pads") or [0] * (2 * rank)
    scheme, up = attributes.get("auto_pad", "NOTSET"), bool(attributes.get("ceil_mode"))
    found = []
    for i, size in enumerate(sizes):
        reach = (kernel[i] - 1) * dilation[i] + 1
        before, after = _padding(scheme, size, reach, stride[i], (pads[i], pads[i + rank]))
        count = _count(size + before, after, reach, stride[i], up=up)
        starts = np.arange(count) * stride[i] - before
        at = starts[:, np.newaxis] + np.arange(kernel[i]) * dilation[i]
        found.append(_Side(at, size, (before, after)))
    return found


def _padding(
    scheme: str | bytes, size: int, reach: int, stride: int, given: tuple[int, int]
) -> tuple[int, int]:
    scheme = scheme if isinstance(scheme, str) else scheme.decode()
    if scheme in ("", "NOTSET"):
        return given
    if scheme == "VALID":
        return 0, 0
    total = max((math.ceil(size / stride) - 1) * stride + reach - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if scheme == "SAME_UPPER" else (large, small)


def _count(begun: int, after: int, reach: int, stride: int, *, up: bool) -> int:
    """Outputs along an axis, `begun`: padding and map. None starts in the padding behind."""
    steps = (begun + after - reach) / stride
    count = (math.ceil(steps) if up else math.floor(steps)) + 1
    if up and (count - 1) * stride >= begun:
        count -= 1
    return count
