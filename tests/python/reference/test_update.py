"""SPEC 6.3, 6.7 to 6.9 by hand and by statistics: remainders along a row, velocities, low bytes,
decay, rounding to nearest.

The kernels have the same bits (tests/agree/test_kernels.py), so what holds here holds of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tinyflash.program import Factor
from tinyflash.reference import update
from tinyflash.reference.arith import Ints, factor_of, ints
from tinyflash.reference.constants import Factors
from tinyflash.reference.update import Draw, Rule, Trained

UNIT = Factor(2**15, -15)  # a rate of 1: a sum of 1 is a step of one unit
ROWS, COLUMNS = 50, 80
COUNT = ROWS * COLUMNS
BYTE = 2**-8
# Of the mean error of one step, in units: errors of a row sum to f or f - 1, which are unbiased.
DEVIATION = 0.5 / (COLUMNS * np.sqrt(ROWS))


def zeros(columns: int = COLUMNS) -> Ints:
    return ints(np.zeros((ROWS, columns)))


def fresh(
    columns: int = COLUMNS, *, velocity: bool = False, low: bool = False, w: int = 0
) -> Trained:
    """Weights of the same value, as a compiler starts them."""
    start = zeros(columns)
    return Trained(start + w, start if velocity else None, start + 128 if low else None)


def step(old: Trained, rule: Rule, number: int, units: float = 1.0) -> update.Updated:
    """One step of `units` times the learning rate for every weight."""
    a = ints(np.full(old.values.shape, np.sign(units)))
    rates = Factors.of([abs(units)] * len(old.values))
    return update.update_rows(old, a, rates, rule, Draw(1, number, 2))


def run(old: Trained, rule: Rule, steps: int, units: float) -> Trained:
    for number in range(steps):
        old = step(old, rule, number, units).to
    return old


def position(trained: Trained) -> np.ndarray:
    """The 16-bit weight, in units of the 8-bit one."""
    assert trained.low is not None
    return trained.values + (trained.low - 128) / 256


def exact(units: float) -> float:
    """The step that `step` makes of `units`: a factor, in whole units of 2^-16."""
    factor = factor_of(units)
    return round(factor.mantissa * 2.0 ** (factor.exponent + 16)) / 2**16


# ---- Remainders along a row ----------------------------------------------------------------------


@dataclass
class Walk:
    """One row of one step, element by element, as SPEC 6.3, 6.4, 6.8 and 6.9 have it."""

    u: int
    u_velocity: int
    momentum: int
    nearest: bool

    def velocity(self, v: int, delta: int) -> tuple[int, int]:
        """v' and U."""
        u = 0x80 if self.nearest else self.u_velocity
        total = (v * self.momentum + 2**6) // 2**7 + delta
        self.u_velocity = (total + u) % 2**8
        return (total + u) // 2**8, total

    def weight(self, w: int, delta: int) -> int:
        t = (0x8000 if self.nearest else self.u) - delta
        self.u = t % 2**16
        return max(-127, min(w + t // 2**16, 127))

    def weight_with_low(self, w: int, low: int, delta: int) -> tuple[int, int]:
        t = 2**8 * low + (0x80 if self.nearest else self.u % 2**8) - delta
        self.u = t % 2**8
        moved = w + t // 2**16
        if abs(moved) > 127:
            return (127, 255) if moved > 0 else (-127, 0)
        return moved, t // 2**8 % 2**8


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("velocity", [False, True])
def test_a_row_is_rounded_element_by_element(velocity: bool, low: bool, nearest: bool) -> None:
    units = [0.75, -0.5, 90.0, -0.001, 0.125, -90.0, 0.004, 0.3125, -0.0001]
    n, draw = len(units), Draw(1, 7, 2)
    w, v, kept = [0, 5, -100, 9, 127, 100, -127, 1, 2], list(range(-20, n - 20)), [7, 250] * 5
    rule = Rule(UNIT, momentum=29491 if velocity else 0, nearest=nearest)
    a = ints([[round(u * 2**14) for u in units]])
    old = Trained(ints([w]), ints([v]) if velocity else None, ints([kept[:n]]) if low else None)
    new = update.update_rows(old, a, Factors.of([2.0**-14]), rule, draw)

    bits = int(draw.bits(1)[0])
    walk = Walk(bits >> 16, bits % 2**8, rule.momentum, nearest)
    for i, total in enumerate(a[0].tolist()):
        delta = 4 * total
        if velocity:
            v[i], delta = walk.velocity(v[i], delta)
        if low:
            w[i], kept[i] = walk.weight_with_low(w[i], kept[i], delta)
        else:
            w[i] = walk.weight(w[i], delta)
    assert new.to.values.tolist() == [w]
    assert new.to.velocity is None or new.to.velocity.tolist() == [v]
    assert new.to.low is None or new.to.low.tolist() == [kept[:n]]
    assert new.saturated == 2


def uneven() -> Ints:
    """Sums of every size and sign, as steps of 1/1000 of a unit each, every row alike."""
    return ints(np.tile(np.random.default_rng(0).integers(-2000, 2000, COLUMNS), (ROWS, 1)))


def test_errors_of_adjacent_elements_sum_to_less_than_a_unit() -> None:
    a = uneven()
    new = update.update_rows(fresh(), a, Factors.of([1e-3] * ROWS), Rule(UNIT), Draw(1, 0, 2))
    errors = np.pad(np.cumsum(new.to.values + a / 1000, axis=1), ((0, 0), (1, 0)))
    assert (np.ptp(errors, axis=1) < 1.01).all()  # over any stretch of a row
    assert len({tuple(row) for row in new.to.values.tolist()}) > ROWS / 2  # each begins anywhere


def test_the_rounding_of_each_element_is_unbiased() -> None:
    a, steps = uneven(), 100
    total = zeros()
    for number in range(steps):
        rates = Factors.of([1e-3] * ROWS)
        total += update.update_rows(fresh(), a, rates, Rule(UNIT), Draw(1, number, 2)).to.values
    error = (total / steps + a / 1000).mean(axis=0)
    assert np.abs(error).max() < 5 * 0.5 / np.sqrt(steps * ROWS)


# ---- Velocity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [2, 3, 8])
def test_accumulation_moves_by_the_sum_of_its_steps(every: int) -> None:
    """Steps that a velocity holds exactly: the same bits as one plain step of their sum."""
    rule = Rule(UNIT, every=every)
    old = fresh(velocity=True)
    for number in range(every - 1):
        old = step(old, rule, number, 5 * BYTE).to
        assert not old.values.any()
        assert set(old.velocity.ravel().tolist()) == {5 * (number + 1)}  # type: ignore[union-attr]
    moved = step(old, rule, every - 1, 5 * BYTE).to
    plain = step(fresh(), Rule(UNIT), every - 1, 5 * BYTE * every).to
    assert np.array_equal(moved.values, plain.values)
    again = step(moved, rule, every, 5 * BYTE).to  # without momentum, the next sum starts anew
    assert set(again.velocity.ravel().tolist()) == {5}  # type: ignore[union-attr]


@pytest.mark.parametrize("units", [0.3, 0.003, 0.0001])
@pytest.mark.parametrize("momentum", [0, 2**14, 29491])
def test_velocities_round_without_a_bias(units: float, momentum: int) -> None:
    """The mean of many weights follows exact momentum; each of them is off by its rounding."""
    steps = 12
    trained = run(fresh(velocity=True), Rule(UNIT, momentum=momentum), steps, units)
    w, v = 0.0, 0.0
    for _ in range(steps):
        v = v * momentum / 2**15 + exact(units)
        w -= v
    deviation = np.sqrt(steps) * (1 + BYTE / (1 - momentum / 2**15)) * DEVIATION
    assert abs(trained.values.mean() - w) < 4 * deviation
    assert trained.velocity is not None
    assert abs(trained.velocity.mean() - v / BYTE) < 4 * np.sqrt(steps) * DEVIATION


def test_a_velocity_comes_to_rest() -> None:
    rule = Rule(Factor(0, 0), momentum=29491)
    velocity = ints(np.arange(COUNT).reshape(ROWS, -1) - COUNT // 2)
    trained = Trained(zeros() + 50, velocity, zeros() + 7)
    for number in range(200):
        trained = step(trained, rule, number).to
    assert trained.velocity is not None
    assert not trained.velocity.any()
    still = step(trained, rule, 200).to
    assert np.array_equal(still.values, trained.values)
    assert np.array_equal(still.low, trained.low)  # type: ignore[arg-type]


def test_a_velocity_stays_within_its_bytes() -> None:
    trained = run(fresh(8, velocity=True), Rule(UNIT, momentum=32767), 5, 1e6)
    assert set(trained.velocity.ravel().tolist()) == {32767}  # type: ignore[union-attr]
    assert set(trained.values.ravel().tolist()) == {-127}


def test_a_bias_follows_momentum_almost_exactly() -> None:
    rule, rates = Rule(UNIT, momentum=29491), Factors.of([100.0, 0.0])
    old = Trained(ints([0, 5]), ints([0, 9]))
    w, v = 0.0, 0.0
    for number in range(50):
        dy = ints([[number % 7 - 3, 100]])
        old = update.update_bias(old, dy, rates, rule, Draw(1, number, 2), 2**30)
        v = v * 29491 / 2**15 + 100 * int(dy[0, 0])
        w -= v
    assert abs(old.values[0] - w) < 50
    assert (old.values[1], old.velocity[1]) == (5, 9)  # type: ignore[index]
    for number in range(400):
        old = update.update_bias(old, ints([[0, 0]]), rates, rule, Draw(1, number, 2), 2**30)
    assert old.velocity[0] == 0  # type: ignore[index]


# ---- Low bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [3.7, 0.3, 0.003, 0.0001])
def test_low_bytes_round_without_a_bias(units: float) -> None:
    steps = 30
    trained = run(fresh(low=True), Rule(UNIT), steps, units)
    error = position(trained) + steps * exact(units)
    assert abs(error.mean()) < 4 * np.sqrt(steps) * DEVIATION * BYTE
    assert np.abs(error).max() < 6 * np.sqrt(steps) * 0.5 * BYTE


def test_steps_of_whole_low_bits_are_exact() -> None:
    trained = run(fresh(16, low=True), Rule(UNIT), 100, 3 * BYTE)
    assert set(position(trained).ravel().tolist()) == {-300 * BYTE}


@pytest.mark.parametrize(("units", "end", "low"), [(-0.25, 127, 255), (0.25, -127, 0)])
def test_the_ends_hold_the_low_byte(units: float, end: int, low: int) -> None:
    old, saturated = fresh(4, low=True, w=end), 0
    for number in range(4):
        new = step(old, Rule(UNIT), number, units)
        old, saturated = new.to, saturated + new.saturated
    assert set(old.values.ravel().tolist()) == {end}
    assert set(old.low.ravel().tolist()) == {low}  # type: ignore[union-attr]
    assert 2 * old.values.size <= saturated <= 3 * old.values.size  # the first of four steps fits


# ---- Decay, dead rows, rounding to nearest -------------------------------------------------------


def test_weights_decay_by_their_share() -> None:
    rule = Rule(Factor(2**15, -18), decay=Factor(2**15, -18))  # rate 1/8, lambda 1/8
    rates = Factors.of([1.0] * ROWS)
    new = update.update_rows(fresh(w=100), zeros(), rates, rule, Draw(1, 0, 2)).to
    assert abs(new.values.mean() - 100 * (1 - 1 / 64)) < 0.05


def test_dead_rows_keep_everything() -> None:
    rule = Rule(UNIT, decay=UNIT, momentum=29491)
    old = Trained(ints([[9, -128], [9, -9]]), ints([[7, 7], [7, 7]]), ints([[3, 3], [3, 3]]))
    a = ints([[50, 50], [50, 50]])
    new = update.update_rows(old, a, Factors.of([0.0, 1.0]), rule, Draw(1, 0, 2)).to
    for before, after in (
        (old.values, new.values),
        (old.velocity, new.velocity),
        (old.low, new.low),
    ):
        assert np.array_equal(before[0], after[0])  # type: ignore[index]
        assert not np.array_equal(before[1], after[1])  # type: ignore[index]


def test_rounding_to_nearest_loses_what_stochastic_rounding_keeps() -> None:
    for nearest, moved in ((True, 0.0), (False, -12.0)):
        trained = run(fresh(), Rule(UNIT, nearest=nearest), 40, 0.3)
        assert abs(trained.values.mean() - moved) < 0.3
    trained = run(fresh(), Rule(UNIT, nearest=True), 10, 0.6)
    assert set(trained.values.ravel().tolist()) == {-10}
