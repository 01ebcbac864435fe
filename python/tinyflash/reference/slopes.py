"""SPEC 7 and 4.6: the slopes of one-element functions, for their gradient.

The compiler computes the same numbers with separate code; both must agree.
"""

from __future__ import annotations

import math
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


def _normal(x: Reals) -> Reals:
    """The share of a normal distribution below x."""
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


def _bell(x: Reals) -> Reals:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi))


def _gelu_tanh(x: Reals, _alpha: float) -> Reals:
    """With u = sqrt(2 / pi) (X + 0.044715 X^3): (1 + tanh u) / 2 + X u' (1 - tanh(u)^2) / 2."""
    root = np.sqrt(2 / np.pi)
    with np.errstate(over="ignore"):
        u, rise = root * (x + 0.044715 * x**3), root * (1 + 0.134145 * x**2)
        bend = np.where(np.abs(x) > 30, 0.0, 1 - np.tanh(u) ** 2)
        steep = np.where(bend > 0, x * rise, 0.0) * bend
    return np.asarray((1 + np.tanh(u) + steep) / 2)


def _mish(x: Reals, _alpha: float) -> Reals:
    """With t = tanh(log(1 + exp X)): t + X p (1 - t^2)."""
    t = np.tanh(np.logaddexp(0, x))
    with np.errstate(over="ignore"):
        return np.asarray(t + x * (1 - t**2) / (1 + np.exp(-x)))


def _softplus(x: Reals, _alpha: float) -> Reals:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def _elu(x: Reals, alpha: float) -> Reals:
    with np.errstate(over="ignore"):
        return np.where(x > 0, 1.0, alpha * np.exp(x))


DERIVATIVES: dict[str, Callable[[Reals, float], Reals]] = {
    "logistic": _logistic,
    "tanh": lambda x, _: 1 - np.tanh(x) ** 2,
    "relu": lambda x, _: np.where(x > 0, 1.0, 0.0),
    "relu6": lambda x, _: np.where((x > 0) & (x < 6), 1.0, 0.0),
    "leaky_relu": lambda x, alpha: np.where(x > 0, 1.0, alpha),
    "prelu": lambda x, alpha: np.where(x > 0, 1.0, alpha),
    "hard_swish": _hard_swish,
    "abs": lambda x, _: np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0)),
    "elu": _elu,
    "erf": lambda x, _: 2 * _bell(np.sqrt(2) * x) * np.sqrt(2),
    "gelu": lambda x, _: _normal(x) + x * _bell(x),
    "gelu_tanh": _gelu_tanh,
    "mish": _mish,
    "selu": lambda x, _: 1.05070098 * _elu(x, 1.67326324),
    "softplus": _softplus,
    "softsign": lambda x, _: 1 / (1 + np.abs(x)) ** 2,
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
