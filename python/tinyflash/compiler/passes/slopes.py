"""Tables of the derivatives of one-element functions, for the gradient of a lookup (SPEC 4.6,
7)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyflash.graph import LookupAttrs, Quant

Reals = npt.NDArray[np.float64]
LARGEST_SLOPE = 2.0
Derivative = Callable[[Reals, float], Reals]


def _logistic(x: Reals, _: float) -> Reals:
    e = np.exp(-np.abs(x))  # p (1 - p) is even; this form of it cannot overflow
    return np.asarray(e / (1 + e) ** 2)


def _tanh(x: Reals, _: float) -> Reals:
    return 1 - np.tanh(x) ** 2


def _relu(x: Reals, _: float) -> Reals:
    return np.where(x > 0, 1.0, 0.0)


def _relu6(x: Reals, _: float) -> Reals:
    return np.where((x > 0) & (x < 6), 1.0, 0.0)


def _leaky_relu(x: Reals, alpha: float) -> Reals:
    return np.where(x > 0, 1.0, alpha)


def _hard_swish(x: Reals, _: float) -> Reals:
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6))


def _identity(x: Reals, _: float) -> Reals:
    return np.ones_like(x)


def _straight(x: Reals, alpha: float) -> Reals:
    return np.full_like(x, alpha)


DERIVATIVES: dict[str, Derivative] = {
    "logistic": _logistic,
    "tanh": _tanh,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "hard_swish": _hard_swish,
    "quantize": _identity,
    "add": _straight,
    "sub": _straight,
    "mul": _straight,
}


def has_slopes(attrs: LookupAttrs) -> bool:
    """Whether the derivative is known, and fits Q14."""
    return attrs.function in DERIVATIVES and abs(attrs.alpha) < LARGEST_SLOPE


def slopes(attrs: LookupAttrs, x: Quant, table: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """Returns the Q14 slope for each byte of x, 0 where the function's table is clipped. [256]

    x: the input's quantization; table: the lookup itself, by the byte of x.
    """
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = DERIVATIVES[attrs.function](x.scale[0] * (stored - x.zero), attrs.alpha)
    q14 = np.clip(np.rint(real * 2**14), -32768, 32767)
    inside = (table > attrs.clip.low) & (table < attrs.clip.high)
    return np.where(inside, q14, 0).astype(np.int16)
