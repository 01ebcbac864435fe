"""The numpy reference of SPEC 1, 5 and 6.3 against exact integers and fractions."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tinyflash.program import Factor
from tinyflash.reference import arith
from tinyflash.reference.arith import ints
from tinyflash.reference.constants import multiplier_of
from tinyflash.reference.scales import COUNTER_MAX, Scale, advance, follow, store
from tinyflash.reference.update import Draw, mix

INT32 = (-(2**31), -(2**31) + 1, -65536, -3, -2, -1, 0, 1, 2, 3, 65535, 2**31 - 2, 2**31 - 1)


def some_int32(count: int, seed: int) -> list[int]:
    """Extremes, then numbers of every magnitude."""
    draw = random.Random(seed)
    return [*INT32, *(draw.randint(-(2**k), 2**k - 1) for k in range(32) for _ in range(count))]


def sat32(v: int) -> int:
    return max(-(2**31), min(2**31 - 1, v))


def nearest_away(v: Fraction) -> int:
    """To the nearest integer, ties away from zero."""
    return math.floor(v + Fraction(1, 2)) if v >= 0 else -math.floor(-v + Fraction(1, 2))


@pytest.mark.parametrize("s", range(32))
def test_rdiv_rounds_ties_away_from_zero(s: int) -> None:
    ties = [(2 * k + 1) << (s - 1) for k in (-3, -2, -1, 0, 1, 2)] if s else []
    xs = [x for x in [*some_int32(4, s), *ties] if sat32(x) == x]
    got = arith.rdiv(ints(xs), s)
    assert got.tolist() == [nearest_away(Fraction(x, 2**s)) for x in xs]


def mulq_exact(x: int, m: int, s: int) -> int:
    """SPEC 1.2 on Python's integers, as TensorFlow Lite writes it."""
    h = ((x << max(s, 0)) + 2**31) % 2**32 - 2**31
    p = h * m
    p += 2**30 if p >= 0 else 1 - 2**30
    q = math.trunc(Fraction(p, 2**31))
    return nearest_away(Fraction(q, 2 ** max(-s, 0)))


@pytest.mark.parametrize("s", [-31, -30, -8, -1, 0, 1, 7, 30])
def test_mulq_is_the_double_rounding(s: int) -> None:
    xs = some_int32(6, s + 40)
    for m in (0, 1, 2**30, 2**30 + 1, 0x5A827999, 2**31 - 1):
        got = arith.mulq(ints(xs), m, s)
        assert got.tolist() == [mulq_exact(x, m, s) for x in xs]


def test_mulq_with_a_multiplier_per_channel() -> None:
    x, m, s = ints([[1000, -1000], [7, 8]]), ints([2**30, 2**31 - 1]), ints([-3, 2])
    assert arith.mulq(x, m, s).tolist() == [
        [mulq_exact(1000, 2**30, -3), mulq_exact(-1000, 2**31 - 1, 2)],
        [mulq_exact(7, 2**30, -3), mulq_exact(8, 2**31 - 1, 2)],
    ]


@pytest.mark.parametrize("e", [*range(-70, -55), -40, -31, -16, -1, 0, 1, 15, 30, 31, 32, 60])
def test_scale_rounds_to_nearest_ties_to_even(e: int) -> None:
    vs = some_int32(4, e + 100)
    for m in (0, 1, 2**15, 2**16 - 1, 2**30 + 1, 2**31 - 1):
        exact = [Fraction(v * m) * Fraction(2) ** max(e, -200) for v in vs]
        # Beyond 62 places every product is below a half, but for ties: SPEC 1.3 says 0.
        expected = [0 if e < -62 else sat32(round(v)) for v in exact]
        if e > 31:
            expected = [sat32(v * m << 31) for v in vs]
        assert arith.scale(ints(vs), m, e).tolist() == expected


def test_wrap_and_saturation() -> None:
    v = ints([2**31, -(2**31) - 1, 2**32 + 5, -7])
    assert arith.wrap32(v).tolist() == [-(2**31), 2**31 - 1, 5, -7]
    assert arith.sat32(v).tolist() == [2**31 - 1, -(2**31), 2**31 - 1, -7]


def test_factor_keeps_sixteen_bits() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        real = math.ldexp(draw.uniform(1, 2), draw.randint(-100, 100))
        factor = arith.factor_of(real)
        assert 2**15 <= factor.mantissa < 2**16
        exact = Fraction(factor.mantissa) * Fraction(2) ** factor.exponent
        assert abs(exact - Fraction(real)) <= Fraction(real) / 2**16


def test_factor_at_its_edges() -> None:
    assert arith.factor_of(1.0) == Factor(2**15, -15)
    assert arith.factor_of(0.0) == Factor(0, 0)
    assert arith.factor_of(1 - 2.0**-20) == Factor(2**15, -15)  # the mantissa came to 2^16
    assert arith.factor_of(1 + 2.0**-16) == Factor(2**15, -15)  # a tie, to even
    assert arith.factor_of(1 + 3 * 2.0**-16) == Factor(2**15 + 2, -15)
    for real in (-1.0, 2.0**600, 2.0**-600):
        with pytest.raises(ValueError, match="is not a factor"):
            arith.factor_of(real)


def test_multiplier_of_is_tensorflow_lites() -> None:
    assert multiplier_of(1.0) == (2**30, 1)
    assert multiplier_of(0.75) == (3 * 2**29, 0)
    assert multiplier_of(1 - 2.0**-40) == (2**30, 1)
    assert multiplier_of(2.0**-32) == (2**30, -31)
    assert multiplier_of(2.0**-33) == (0, 0)


def test_ceil_log2() -> None:
    assert [arith.ceil_log2(k) for k in (1, 2, 3, 4, 5, 8, 9)] == [0, 1, 2, 2, 3, 3, 4]
    assert [arith.ceil_log2(k, 1032) for k in (1, 1032, 1033, 2064, 2065)] == [0, 0, 1, 1, 2]


# ---- Gradients: stored, and their exponents ------------------------------------------------------


def test_store_masks_peaks_and_saturates() -> None:
    scale = Scale(peak=3)
    stored = store(ints([127, -127, 128, -128, 5000, 0]), ints([1, 1, 1, 1, 0, 1]), scale)
    assert stored.tolist() == [127, -127, 127, -127, 0, 0]
    assert (scale.peak, scale.saturated) == (128, 2)


def test_store_at_the_extremes() -> None:
    scale = Scale(saturated=COUNTER_MAX - 1)
    assert store(ints([-(2**31), 2**31 - 1]), None, scale).tolist() == [-127, 127]
    assert (scale.peak, scale.saturated) == (2**31 - 1, COUNTER_MAX)


def followed(*sources: Scale, gain: int = -6) -> int:
    """The exponent of a gradient that is computed from these; it was 9."""
    scale = Scale(9, gain)
    follow(sources, scale)
    return scale.exponent


def test_an_exponent_follows_the_size_of_what_it_is_computed_from() -> None:
    followers = [followed(Scale(-8, peak=peak)) for peak in (1, 2, 63, 64, 127)]
    assert followers == [-13, -12, -8, -7, -7]
    assert followed(Scale(-8, peak=5000)) == -7  # no more than 127 is stored
    assert followed(Scale(-8, peak=1), Scale(-10, peak=127)) == -9
    assert followed(Scale(-8, peak=0), Scale(-40, peak=3)) == -40  # clamped
    assert followed(Scale(15, peak=127), gain=63) == 15
    assert followed(Scale(-8), Scale(-10)) == 9  # all is zero


def moved(peak: int, gain: int = -5, headroom: int = 1) -> int:
    """The gain after one step with this peak."""
    scale = Scale(-3, gain, peak=peak)
    advance([Scale(peak=1), scale], headroom)
    assert (scale.exponent, scale.peak) == (-3, 0)
    return scale.gain


def test_a_gain_rises_to_fit_and_falls_by_one() -> None:
    assert [moved(peak) for peak in (63, 64, 127, 128)] == [-5, -4, -4, -3]
    assert [moved(peak) for peak in (16, 15, 1, 0)] == [-5, -6, -6, -6]
    assert [moved(peak, headroom=0) for peak in (127, 128, 32, 31)] == [-5, -4, -5, -6]
    assert moved(2**31 - 1) == 20
    assert moved(2**31 - 1, gain=60) == 63
    assert moved(0, gain=-64) == -64


def test_a_gradient_of_zeros_moves_no_gain_behind_it() -> None:
    scales = [Scale(peak=90), Scale(-5, 15), Scale(-5, -64), Scale(-5, 62)]
    for before, scale in pairwise(scales[1:]):
        follow([before], scale)
    advance(scales, 2)
    assert scales == [Scale(), Scale(-5, 14), Scale(-5, -64), Scale(-5, 62)]


# ---- Random bits ---------------------------------------------------------------------------------


def test_mix_is_the_finaliser_of_murmurhash3() -> None:
    assert [mix(h) for h in (0, 1, 2, 0xFFFFFFFF)] == [0, 0x514E28B7, 0x30F4C306, 0x81F16F39]


def test_a_row_of_a_step_has_its_bits() -> None:
    draw = Draw(seed=0xDEADBEEF, step=2**32 - 1, tensor=77)
    tensor = mix(mix(mix(0xDEADBEEF) ^ (2**32 - 1)) ^ 77)
    assert draw.bits(3).tolist() == [mix(tensor ^ row) for row in range(3)]
    assert replace(draw, source=(9, 2)).bits(2).tolist() == [mix(tensor ^ 9), mix(tensor ^ 2)]


@pytest.mark.parametrize("first", [0, 8, 16, 28])
def test_bits_are_uniform_over_rows_steps_and_tensors(first: int) -> None:
    drawn = [Draw(5, step, tensor).bits(64) for step in range(32) for tensor in range(8)]
    histogram = np.bincount((np.concatenate(drawn) >> first) % 16, minlength=16)
    expected = histogram.sum() / 16
    assert ((histogram - expected) ** 2 / expected).sum() < 40  # chi squared, 15 degrees: p < 0.001
