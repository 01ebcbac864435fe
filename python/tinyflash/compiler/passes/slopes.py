"""Tables of the derivatives of one-element functions, for the gradient of a lookup (SPEC 4.6,
7)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyflash.graph import LookupAttrs, Quant
from tinyflash.quantize.curves import SELU_ALPHA, SELU_GAMMA

Reals = npt.NDArray[np.float64]
LARGEST_SLOPE = 2.0
_erf = np.vectorize(math.erf, otypes=[np.float64])
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


def _sigmoid(x: Reals) -> Reals:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _elu(x: Reals, alpha: float) -> Reals:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def _density(x: Reals) -> Reals:
    """Of the normal distribution."""
    return np.asarray(np.exp(-np.minimum(x * x, 1e3) / 2) / math.sqrt(2 * math.pi))


def _gelu(x: Reals, _: float) -> Reals:
    return np.asarray(0.5 * (1 + _erf(x / math.sqrt(2))) + x * _density(x))


def _gelu_tanh(x: Reals, _: float) -> Reals:
    near = np.clip(x, -20, 20)  # beyond it is 0 or 1
    t = np.tanh(math.sqrt(2 / math.pi) * (near + 0.044715 * near**3))
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * near**2)
    return np.asarray(0.5 * (1 + t) + 0.5 * near * (1 - t * t) * inner)


def _mish(x: Reals, _: float) -> Reals:
    t = np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
    return np.asarray(t + x * (1 - t * t) * _sigmoid(x))


DERIVATIVES: dict[str, Derivative] = {
    "logistic": _logistic,
    "tanh": _tanh,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "prelu": _leaky_relu,
    "hard_swish": _hard_swish,
    "abs": lambda x, _: np.sign(x),
    "elu": _elu,
    "erf": lambda x, _: 2 * math.sqrt(2) * _density(math.sqrt(2) * x),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": _mish,
    "selu": lambda x, _: SELU_GAMMA * _elu(x, SELU_ALPHA),
    "softplus": lambda x, _: _sigmoid(x),
    "softsign": lambda x, _: 1 / (1 + np.abs(x)) ** 2,
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
