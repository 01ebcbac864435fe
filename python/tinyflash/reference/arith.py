"""SPEC 1: rounding, multiplying and scaling, elementwise on int64."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tinyflash.program import Factor

Ints = npt.NDArray[np.int64]
IntLike = Ints | int

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def ints(values: npt.ArrayLike) -> Ints:
    """Returns the values as int64, the type of all arithmetic here."""
    return np.asarray(values, dtype=np.int64)


def wrap32(v: Ints) -> Ints:
    """The low 32 bits of v, as int32."""
    return ((v + 2**31) & (2**32 - 1)) - 2**31


def sat32(v: Ints) -> Ints:
    """Clamp to int32."""
    return np.clip(v, INT32_MIN, INT32_MAX)


def rdiv(x: Ints, s: IntLike) -> Ints:
    """SPEC 1.1: x / 2^s to nearest, ties away from zero; 0 <= s <= 31."""
    mask = (ints(1) << s) - 1
    above_half = (x & mask) > (mask >> 1) + (x < 0)
    return ints((x >> s) + above_half)


def hmul(a: Ints, b: IntLike) -> Ints:
    """SPEC 1.2 without its shifts, b signed: a * b / 2^31."""
    return ints(np.minimum((a * ints(b) + 2**30) >> 31, INT32_MAX))


def mulq(x: Ints, m: IntLike, s: IntLike) -> Ints:
    """SPEC 1.2: x * m / 2^31 * 2^s with TensorFlow Lite's double rounding; -31 <= s <= 30."""
    left, right = np.maximum(s, 0), np.maximum(np.negative(s), 0)
    return rdiv(hmul(wrap32(x << left), m), right)


def even(v: Ints, s: IntLike) -> Ints:
    """SPEC 1.3: v * 2^-s to nearest, ties to even; 0 <= s <= 62."""
    whole = v >> s
    rest, half = v - (whole << s), (ints(1) << s) >> 1
    above = (rest > half) | ((rest == half) & (half > 0) & (whole % 2 == 1))
    return ints(whole + above)


def scale(v: Ints, m: IntLike, e: IntLike) -> Ints:
    """SPEC 1.3: v * m * 2^e to nearest, saturated to int32; int32 v, 0 <= m < 2^31."""
    p = v * ints(m)
    s = np.negative(ints(e))
    rounded = even(p, np.clip(s, 1, 62))
    # A product beyond int32 saturates for any shift: clamping it first keeps int64 exact.
    shifted = np.clip(p, -(2**31), 2**31) << np.clip(-s, 0, 31)
    return sat32(np.where(s > 62, 0, np.where(s > 0, rounded, shifted)))


def factor_of(real: float) -> Factor:
    """SPEC 1.4: the factor nearest to a number >= 0."""
    if real == 0.0:
        return Factor(0, 0)
    fraction, k = math.frexp(real)
    mantissa, exponent = round(fraction * 2**16), k - 16
    if mantissa == 2**16:
        mantissa, exponent = 2**15, k - 15
    if not -512 <= exponent <= 511 or real < 0:
        raise ValueError(
            f"{real} is not a factor: not positive, or its exponent leaves [-512, 511]"
        )
    return Factor(mantissa, exponent)


def ceil_log2(numerator: int, denominator: int = 1) -> int:
    """The smallest k >= 0 with numerator <= denominator * 2^k."""
    k = 0
    while numerator > denominator << k:
        k += 1
    return k


def matmul(a: Ints, b: Ints) -> Ints:
    """The matrix product. All sums of the SPEC are below 2^53, so float64 is exact and fast."""
    return ints(np.matmul(a.astype(np.float64), b.astype(np.float64)))
