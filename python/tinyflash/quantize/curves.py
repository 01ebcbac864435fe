"""Smooth functions of one element, which TensorFlow Lite tabulates from real numbers.

Unlike those of tables.py they have no fixed-point form: every entry is f of a real number, rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tinyflash.quantize.tables import Coding, Table, absolute

Reals = npt.NDArray[np.float64]
Curve = Callable[[Reals, float], Reals]

# Klambauer et al. 2017, as ONNX and PyTorch have them.
SELU_ALPHA, SELU_GAMMA = 1.67326324, 1.05070098
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _exp_below(x: Reals) -> Reals:
    """exp(x) - 1 for negative x, which for the smallest is -1."""
    return np.asarray(np.expm1(np.minimum(x, 0.0)))


def _elu(x: Reals, alpha: float) -> Reals:
    return np.where(x < 0, alpha * _exp_below(x), x)


def _gelu(x: Reals, _: float) -> Reals:
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


def _gelu_tanh(x: Reals, _: float) -> Reals:
    with np.errstate(over="ignore"):
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def _softplus(x: Reals, _: float) -> Reals:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


CURVES: Mapping[str, Curve] = {
    "abs": lambda x, _: np.abs(x),
    "elu": _elu,
    "erf": lambda x, _: np.asarray(_erf(x)),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": lambda x, _: np.asarray(x * np.tanh(_softplus(x, 0.0))),
    "selu": lambda x, _: SELU_GAMMA * _elu(x, SELU_ALPHA),
    "softplus": _softplus,
    "softsign": lambda x, _: np.asarray(x / (1 + np.abs(x))),
}


def tabulated(name: str, x: Coding, y: Coding, alpha: float = 0.0) -> Table:
    """Returns the table of one of CURVES. alpha: of elu.

    Real numbers are float32, as in TensorFlow Lite: x from its scale, and f(x) over the scale of y.
    """
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha is {alpha:.3g}; it must be finite and not negative")
    if name == "abs":  # which rescales integers instead
        return absolute(x, y)
    with np.errstate(over="ignore", invalid="ignore"):
        real = np.float32(x.scale) * x.centred.astype(np.float32)
        f = CURVES[name](real.astype(np.float64), alpha).astype(np.float32)
        if name == "elu" and alpha == 1:  # TensorFlow Lite rounds the exponential first
            fall = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32)
            f = np.where(real < 0, fall - np.float32(1), real)
        steps = f * np.float32(np.float32(1) / np.float32(y.scale))
    if not np.isfinite(steps).all():
        raise ValueError(f"{name.upper()} of input scale {x.scale:.3g} leaves the range of float32")
    away = np.trunc(steps + np.copysign(np.float32(0.5), steps))  # std::round
    return y.store(np.clip(away, -(2.0**31), 2.0**31).astype(np.int64))
