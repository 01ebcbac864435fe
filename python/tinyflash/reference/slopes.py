"""SPEC 7 and 4.6: the slopes of one-element functions, for their gradient.

The compiler computes the same numbers with separate code; both must agree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyflash.graph import LookupAttrs, Quant
from tinyflash.reference.arith import Ints, ints

Reals = npt.NDArray[np.float64]


def _logistic(x: Reals, _alpha: float) -> Reals:
    with np.errstate(over="ignore"):  # exp becomes infinite, p 0
        p = 1 / (1 + np.exp(-x))
    return np.asarray(p * (1 - p))


def _hard_swish(x: Reals, _alpha: float) -> Reals:
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6))


DERIVATIVES: dict[str, Callable[[Reals, float], Reals]] = {
    "logistic": _logistic,
    "tanh": lambda x, _: 1 - np.tanh(x) ** 2,
    "relu": lambda x, _: np.where(x > 0, 1.0, 0.0),
    "relu6": lambda x, _: np.where((x > 0) & (x < 6), 1.0, 0.0),
    "leaky_relu": lambda x, alpha: np.where(x > 0, 1.0, alpha),
    "hard_swish": _hard_swish,
    "quantize": lambda x, _: np.ones_like(x),
    "add": lambda x, slope: np.full_like(x, slope),
    "sub": lambda x, slope: np.full_like(x, slope),
    "mul": lambda x, slope: np.full_like(x, slope),
}


def slopes(attrs: LookupAttrs, x: Quant, table: Ints) -> Ints:
    """Returns int16 [256], Q14, by the byte of x. table: the lookup's stored output for each
    byte."""
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = x.scale[0] * (stored - x.zero)
    slope = np.rint(2**14 * DERIVATIVES[attrs.function](real, attrs.alpha))
    inside = (table > attrs.clip.low) & (table < attrs.clip.high)
    return ints(np.where(inside, np.clip(slope, -(2**15), 2**15 - 1), 0))
