"""Operators that onnx's reference evaluator gets wrong, as ONNX Runtime computes them.

Pools: it pads before the map what rounding up adds, and confuses the sides of uneven padding.
GlobalMaxPool: it is right over two dimensions only. BatchNormalization before opset 14: it trains
where there is a momentum. Squeeze and Unsqueeze before opset 13: it takes axes one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.read.onnx.judge.pools import pool


def corrected() -> list[type]:
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

    return [AveragePool, MaxPool, GlobalMaxPool, BatchNormalization, Squeeze, Unsqueeze]


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
