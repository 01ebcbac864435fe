"""Operators that onnx's reference evaluator gets wrong, as ONNX Runtime computes them.

Pools: it pads before the map what rounding up adds, and confuses the sides of uneven padding.
GlobalMaxPool: it is right over two dimensions only. BatchNormalization before opset 14: it trains
where there is a momentum. Squeeze and Unsqueeze before opset 13: it takes axes one by one.
DequantizeLinear: it has none before opset 19. Gelu: it has none by itself. Softmax before opset 13:
it works along one axis. Slice: back from before the first place, it takes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.read.onnx.judge.pools import pool


def corrected(opset: int) -> list[type]:
    """For the evaluator, which takes them by the names of their classes."""
    from onnx.reference.op_run import OpRun

    class AveragePool(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, **attributes: Any) -> tuple[Numbers]:
            return (pool(x, attributes, largest=False),)

    class MaxPool(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, **attributes: Any) -> tuple[Numbers]:
            return (pool(x, attributes, largest=True),)

    class GlobalMaxPool(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers) -> tuple[Numbers]:
            return (np.asarray(x.max(axis=tuple(range(2, x.ndim)), keepdims=True)),)

    class BatchNormalization(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, *operands: Numbers, epsilon: float = 1e-5, **_: Any) -> tuple[Numbers]:
            return (_normalised(*operands, epsilon=epsilon),)

    class Squeeze(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, axes: Sequence[int] | None = None) -> tuple[Numbers]:
            return (np.squeeze(x, None if axes is None else tuple(np.ravel(axes))),)

    class Unsqueeze(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, axes: Sequence[int] = ()) -> tuple[Numbers]:
            return (np.expand_dims(x, tuple(np.ravel(axes))),)

    class DequantizeLinear(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, *operands: Numbers, axis: int | None = 1, **_: Any) -> tuple[Numbers]:
            return (_real(*operands, axis=1 if axis is None else axis),)

    class Softmax(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, axis: int = -1) -> tuple[Numbers]:
            if opset >= 13:
                return (_softmax(x, axis),)
            given = "axis" in {attribute.name for attribute in self.onnx_node.attribute}
            first = (axis if given else 1) % x.ndim
            rows = x.reshape(math.prod(x.shape[:first]), -1)
            return (_softmax(rows, -1).reshape(x.shape),)

    class Gelu(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, approximate: str | None = None) -> tuple[Numbers]:
            wide = np.asarray(x, np.float64)
            if approximate == "tanh":
                gate = np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))
            else:
                gate = np.vectorize(math.erf, otypes=[np.float64])(wide / np.sqrt(2))
            return (np.asarray(wide * (1 + gate) / 2, x.dtype),)

    class Slice(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Numbers, *operands: Numbers, **attributes: Any) -> tuple[Numbers]:
            if opset < 10:
                operands = tuple(np.asarray(attributes[n]) for n in ("starts", "ends"))
                axes = attributes.get("axes")
                operands += () if axes is None else (np.asarray(axes),)
            return (_cut(x, *operands),)

    own = [AveragePool, MaxPool, GlobalMaxPool, BatchNormalization, Gelu]
    return [*own, DequantizeLinear, Softmax, Slice, Squeeze, Unsqueeze]


def _softmax(x: Any, axis: int) -> Numbers:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True), x.dtype)


def _cut(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Numbers:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places = np.arange(x.shape[axis])
        if step < 0:  # mirrored, to go forward
            start, end = (-1 - at if at < 0 else len(places) - 1 - at for at in (start, end))
            places, step = places[::-1], -step
            start, end = max(min(start, len(places) - 1), 0), max(end, 0)
        x = np.take(x, places[start:end:step], axis)
    return np.asarray(x)


def _real(x: Any, scale: Any, zero: Any = None, *, axis: int) -> Numbers:
    """What integers stand for: one scale, or one for each place of an axis."""
    whole, offset = np.asarray(x, np.int64), np.asarray(0 if zero is None else zero, np.int64)
    if np.size(scale) > 1:
        sides = [1] * whole.ndim
        sides[axis] = -1
        scale, offset = np.reshape(scale, sides), np.reshape(offset, sides)
    else:
        scale, offset = np.ravel(scale)[0], np.ravel(offset)[0]
    return np.asarray((whole - offset) * np.asarray(scale, np.float64), np.float32)


def _normalised(
    x: Any, scale: Any, shift: Any, mean: Any, variance: Any, *, epsilon: float
) -> Numbers:
    """By the statistics of training, a number for each channel."""
    scale, shift, mean, variance = (
        np.asarray(v, np.float64).reshape(-1, *(1 for _ in x.shape[2:]))
        for v in (scale, shift, mean, variance)
    )
    y = scale * (x - mean) / np.sqrt(variance + (1e-5 if epsilon is None else epsilon)) + shift
    return np.asarray(y, x.dtype)
