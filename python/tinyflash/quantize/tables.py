"""Functions of one element as tables, bit-equal to TensorFlow Lite Micro's kernels.

Those compute the multipliers of RELU and LEAKY_RELU in double precision; TensorFlow Lite's own, in
single precision, differ where a product falls on a half.

A table has 256 entries, indexed by the raw byte of x. Functions raise ValueError, with a one-line
message, if those kernels would reject the scales or overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyflash.factor import multiplier
from tinyflash.graph import Clip
from tinyflash.limits import INT32_MAX, sum_fits
from tinyflash.quantize import fixedpoint as fp

Table = npt.NDArray[np.int8]
ByteType = Literal["int8", "uint8"]


@dataclass(frozen=True)
class Operand:
    """Real numbers: scale * centred."""

    centred: fp.Ints
    scale: float


@dataclass(frozen=True)
class Coding:
    """How a tensor stores real numbers in bytes."""

    scale: float
    zero: int
    dtype: ByteType = "int8"

    def operand(self, stored: fp.Ints | None = None) -> Operand:
        """Returns the real value of `stored`; by default, of each of the 256 bytes."""
        return Operand(self.centred if stored is None else stored - self.zero, self.scale)

    @property
    def centred(self) -> fp.Ints:
        """Returns [256], for each raw byte: its stored value minus the zero point."""
        raw = np.arange(256, dtype=np.uint8).view(np.dtype(self.dtype))
        return raw.astype(np.int64) - self.zero

    def store(self, value: fp.Ints, clip: Clip | None = None) -> Table:
        """Returns the raw bytes of `value`, which is given minus the zero point."""
        limits = np.iinfo(np.dtype(self.dtype))
        low, high = (clip.low, clip.high) if clip else (limits.min, limits.max)
        stored = np.clip(value + self.zero, low, high)
        return stored.astype(np.dtype(self.dtype)).view(np.int8)


def _multiplier(factor: float) -> tuple[int, int]:
    """Returns a factor as Q31 multiplier and shift (SPEC 7), in the range of SPEC 1.2."""
    if not factor < 2**30 * (1 - 2**-32):
        raise ValueError(f"rescales by {factor:.3g}, beyond the range of int32")
    return multiplier(factor)


def _rescale(x: fp.Ints, factor: float) -> fp.Ints:
    """Multiplies by a real factor, in one fixed-point multiplication. Rejects a factor with which a
    number would leave int32 on its way, or with its zero point: its sign would change."""
    q31, shift = _multiplier(factor)
    if int(np.abs(x).max()) << max(shift, 0) > INT32_MAX - 2**8:
        raise ValueError(f"rescales by {factor:.3g}, beyond the range of int32")
    return fp.mulq(x, q31, shift)


def requantize(x: Coding, y: Coding) -> Table:
    """Returns the same real numbers in another coding."""
    return y.store(_rescale(x.centred, x.scale / y.scale))


def relu(x: Coding, y: Coding) -> Table:
    """max(x, 0), rescaled."""
    return y.store(_rescale(x.centred, x.scale / y.scale), Clip(max(-128, y.zero), 127))


def absolute(x: Coding, y: Coding) -> Table:
    """|x|, rescaled."""
    return y.store(_rescale(np.abs(x.centred), x.scale / y.scale))


def relu6(x: Coding, y: Coding) -> Table:
    """min(max(x, 0), 6); input and output must have the same coding."""
    if (x.scale, x.zero) != (y.scale, y.zero):
        raise ValueError("RELU6 needs the same scale and zero point at input and output")
    six = fp.round_half_away(min(fp.float32(6 / x.scale), 255.0)) + x.zero
    return y.store(x.centred, Clip(x.zero, min(127, six)))


def leaky_relu(x: Coding, y: Coding, alpha: float) -> Table:
    """Keeps x >= 0, and multiplies other x by alpha."""
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha is {alpha:.3g}; it must be finite and not negative")
    positive = _rescale(x.centred, x.scale / y.scale)
    negative = _rescale(x.centred, x.scale * alpha / y.scale)
    return y.store(np.where(x.centred >= 0, positive, negative))


def prelu(x: Coding, y: Coding, slope: Operand) -> Table:
    """Keeps x >= 0, and multiplies other x by a stored slope."""
    positive = _rescale(x.centred, x.scale / y.scale)
    factor = x.scale * slope.scale / y.scale
    negative = _rescale(x.centred * slope.centred, factor)
    return y.store(np.where(x.centred >= 0, positive, negative))


def _near_zero_q4(x: Coding) -> tuple[fp.Ints, int]:
    """Returns x in Q4 and the radius beyond which a logistic curve is flat, for the centred
    bytes."""
    q31, shift = multiplier(x.scale * 2**27)
    if shift < 0 or not q31:
        raise ValueError(f"input scale {x.scale:.3g} is too small")
    radius = math.floor(15 * 2**27 / 2**shift)
    near = np.where(np.abs(x.centred) < radius, x.centred, 0)
    return fp.mulq(near, q31, min(shift, 30)), radius


def _flatten(x: Coding, inner: fp.Ints, radius: int, y: Coding) -> Table:
    table = y.store(inner)
    table[x.centred >= radius] = 127
    table[x.centred <= -radius] = -128
    return table


def logistic(x: Coding, y: Coding) -> Table:
    """1 / (1 + exp(-x)); the output scale is 1/256, its zero point -128."""
    if (y.scale, y.zero) != (1 / 256, -128):
        raise ValueError("LOGISTIC needs output scale 1/256 and zero point -128")
    q4, radius = _near_zero_q4(x)
    return _flatten(x, fp.rdiv(fp.logistic(q4, 4), 23), radius, y)


def tanh(x: Coding, y: Coding) -> Table:
    """The hyperbolic tangent; the output scale is 1/128, its zero point 0."""
    if (y.scale, y.zero) != (1 / 128, 0):
        raise ValueError("TANH needs output scale 1/128 and zero point 0")
    q4, radius = _near_zero_q4(x)
    return _flatten(x, fp.rdiv(fp.tanh(q4, 4), 24), radius, y)


def softmax_exponentials(scale: float, beta: float) -> npt.NDArray[np.int32]:
    """Returns [256] exp(-d * beta * scale) in Q31 at distance d; 0 beyond the range of Q5 (SPEC
    3.4, 7)."""
    real = min(beta * scale * 2**26, float(2**31 - 1))
    if not real > 1:
        raise ValueError(f"softmax of input scale {scale:.3g} times beta {beta:.3g} is too small")
    q31, shift = multiplier(real)
    reach = math.floor(31 * 2**26 / 2**shift)
    distance = np.arange(256, dtype=np.int64)
    inside = distance <= reach
    q5 = fp.mulq(np.where(inside, -distance, 0), q31, min(shift, 30))
    exponentials = np.where(inside, fp.exp_of_negative(q5, 5), 0)
    return exponentials.astype(np.int32)


def _multiplier16(factor: float) -> tuple[int, int]:
    """Returns a factor as Q15 multiplier and shift."""
    q31, shift = _multiplier(factor)
    return min((q31 + 2**15) >> 16, 32767), shift


def _hmul16(a: fp.Ints, b: fp.Ints | int, *, nearest: bool) -> fp.Ints:
    """The upper half of 2 a b in 16 bits, to nearest or towards zero."""
    product = a * b
    if nearest:
        product = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    saturated: fp.Ints = np.minimum(np.sign(product) * (np.abs(product) >> 15), 32767)
    return saturated


def _clip16(value: fp.Ints) -> fp.Ints:
    return np.clip(value, -32768, 32767)


def _hard_gate(fine: fp.Ints, fine_scale: float) -> fp.Ints:
    """clip(x + 3, 0, 6) / 6 in units of 2^-15, of x at 1/128 of its scale."""
    q15, shift = _multiplier16(fp.float32(fine_scale / (3 / 32768)))
    if shift < -15:
        raise ValueError("HARD_SWISH of such a small input scale is not supported")
    gate = _clip16(fine << max(shift - 1, 0))
    gate = _hmul16(gate, q15, nearest=True)
    gate = _clip16(gate << 1) if shift > 0 else fp.rdiv(gate, -shift)
    return (gate + (1 << 15)) >> 1


def hard_swish(x: Coding, y: Coding) -> Table:
    """The product of x and clip(x + 3, 0, 6) / 6, in 16-bit arithmetic."""
    fine_scale = fp.float32(x.scale / 128)
    q15, shift = _multiplier16(fp.float32(fine_scale / y.scale))
    if not -15 <= shift <= 0:
        raise ValueError("HARD_SWISH needs an input scale below 128 times its output scale")
    fine = x.centred << 7
    gate = _hard_gate(fine, fine_scale)
    scaled = _hmul16(fine, q15, nearest=True)
    return y.store(fp.rdiv(_hmul16(gate, scaled, nearest=False), -shift))


# ---- Two operands, one of them a constant number ------------------------------------------------


def _check_sum(a: float, b: float, y: float) -> None:
    """Rejects scales with which the table of a sum cannot be computed."""
    if not sum_fits(a, b, y):
        raise ValueError(f"output scale {y:.3g} is too small for input scales {a:.3g} and {b:.3g}")


def add(a: Operand, b: Operand, y: Coding, clip: Clip) -> Table:
    """The sum at a common scale."""
    return _combined(a, b, 1, y, clip)


def _combined(a: Operand, b: Operand, sign: int, y: Coding, clip: Clip) -> Table:
    """Both at a common scale, with 20 more bits; then their sum or difference (SPEC 3.1)."""
    _check_sum(a.scale, b.scale, y.scale)
    common = 2 * max(a.scale, b.scale)
    from_a = _rescale(a.centred << 20, a.scale / common)
    from_b = _rescale(b.centred << 20, b.scale / common)
    return y.store(_rescale(from_a + sign * from_b, common / (2**20 * y.scale)), clip)


def subtract(a: Operand, b: Operand, y: Coding, clip: Clip) -> Table:
    """The difference at a common scale."""
    return _combined(a, b, -1, y, clip)


def multiply(a: Operand, b: Operand, y: Coding, clip: Clip) -> Table:
    """The product of both."""
    return y.store(_rescale(a.centred * b.centred, a.scale * b.scale / y.scale), clip)
