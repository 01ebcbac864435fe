"""Fixed-point constants that the compiler computes. The device only uses them.

The rules are in lib/SPEC.md, sections 1.4 and 7.
"""

from __future__ import annotations

import math

from tinyflash.errors import InternalError
from tinyflash.program import Factor


def factor(real: float) -> Factor:
    """Returns `real` >= 0 as a 16-bit mantissa in [2^15, 2^16) and an exponent; 0 as (0, 0). SPEC
    1.4."""
    if not math.isfinite(real) or real < 0:
        raise InternalError(f"{real} is not a positive number")
    if real == 0:
        return Factor(0, 0)
    fraction, exponent = math.frexp(real)
    mantissa = round(fraction * 65536)
    if mantissa == 65536:
        mantissa, exponent = 32768, exponent + 1
    if not -512 <= exponent - 16 <= 511:
        raise InternalError(f"{real} is beyond the range of a factor")
    return Factor(mantissa, exponent - 16)


def has_factor(real: float) -> bool:
    """Whether a number is one that `factor` can return."""
    try:
        factor(real)
    except InternalError:
        return False
    return True


def multiplier(real: float) -> tuple[int, int]:
    """Returns `real` >= 0 as a Q31 multiplier and a shift (positive: to the left). SPEC 7."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    q31 = math.floor(fraction * 2**31 + 0.5)
    if q31 == 2**31:
        q31, shift = 2**30, shift + 1
    return (q31, shift) if shift >= -31 else (0, 0)
