"""Fixed-point arithmetic on arrays, as in TensorFlow Lite's integer kernels (SPEC 1.1, 1.2).

Values are int64 arrays that hold int32 values. `q` in a name is the number of integer bits: a
Qn number is stored as real * 2^(31 - n).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

INT32_MAX = 2**31 - 1
INT32_MIN = -(2**31)


def round_half_away(value: float) -> int:
    """To the nearest integer, halves away from zero."""
    whole = math.trunc(value)
    return whole + int(math.copysign(1, value)) * (abs(value - whole) >= 0.5)


def float32(value: float) -> float:
    """`value` rounded to float32, infinite beyond its range.

    For a product or quotient of two float32 numbers, computed in double, this equals the result of
    float32 arithmetic.
    """
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def rdiv(x: Ints, shift: Ints | int) -> Ints:
    """The quotient x / 2^shift to nearest, ties away from zero (SPEC 1.1)."""
    mask = np.left_shift(np.int64(1), shift) - 1
    rounded: Ints = (x >> shift) + ((x & mask) > (mask >> 1) + (x < 0))
    return rounded


def hmul(a: Ints, b: Ints | int) -> Ints:
    """The upper half of 2 a b, rounded: the product of two Q0 numbers (SPEC 3.4)."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    quotient = np.sign(nudged) * (np.abs(nudged) >> 31)
    saturated: Ints = np.minimum(quotient, INT32_MAX)
    return saturated


def mulq(x: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """The product x * multiplier * 2^(shift - 31) with double rounding (SPEC 1.2)."""
    widened = (x << np.maximum(shift, 0)).astype(np.int32).astype(np.int64)
    return rdiv(hmul(widened, multiplier), np.maximum(np.negative(shift), 0))


def shift_left(x: Ints, bits: int) -> Ints:
    """The product x * 2^bits, saturating to int32."""
    saturated: Ints = np.clip(x << bits, INT32_MIN, INT32_MAX)
    return saturated


# exp(-2^k) in Q0 for k = -2 .. 4: the factors of a binary decomposition of the exponent.
_EXP_OF_POWERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
_EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8), Q0
_ONE_THIRD = 715827883  # Q0


def _exp_of_last_quarter(a: Ints) -> Ints:
    """exp(a), a in [-1/4, 0), Q0 to Q0: the Taylor series around -1/8 up to the fourth power."""
    x = a + (1 << 28)
    x2 = hmul(x, x)
    x3 = hmul(x2, x)
    x4 = hmul(x2, x2)
    upper = rdiv(hmul(rdiv(x4, 2) + x3, _ONE_THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + hmul(x + upper, _EXP_MINUS_EIGHTH)


def exp_of_negative(a: Ints, q: int) -> Ints:
    """exp(a), a <= 0 in Qq with q <= 5; the result in Q0, exp(0) being the largest number."""
    fraction_bits = 31 - q
    quarter = 1 << (fraction_bits - 2)
    last = (a & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(shift_left(last, q))
    remainder = last - a
    for power, factor in _EXP_OF_POWERS:
        if power < q:
            bit = 1 << (fraction_bits + power)
            result = np.where(remainder & bit, hmul(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _two_over_one_plus(a: Ints) -> Ints:
    """2 / (1 + a), a in [0, 1) in Q0 to Q2, by three Newton steps (SPEC 3.4)."""
    half = (a + INT32_MAX + 1) >> 1
    x = 1515870810 + hmul(half, -1010580540)
    for _ in range(3):
        x = x + shift_left(hmul(x, (1 << 29) - hmul(half, x)), 2)
    return x


def logistic(a: Ints, q: int) -> Ints:
    """1 / (1 + exp(-a)), Qq to Q0."""
    of_magnitude = shift_left(_two_over_one_plus(exp_of_negative(-np.abs(a), q)), 1)
    result = np.where(a > 0, of_magnitude, INT32_MAX - of_magnitude)
    return np.where(a == 0, 1 << 30, result)


def tanh(a: Ints, q: int) -> Ints:
    """(1 - exp(-2a)) / (1 + exp(-2a)), Qq to Q0."""
    ratio = _two_over_one_plus(exp_of_negative(-np.abs(a), q + 1))
    return np.sign(a) * shift_left(ratio - (1 << 29), 2)
