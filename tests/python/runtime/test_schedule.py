"""The course of the learning rate: the library's, the reference's and that of real numbers."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise

import pytest
from tinyflash.runtime.host._tinyflash import ffi, lib

from tinyflash.errors import DataError
from tinyflash.factor import factor
from tinyflash.program import Factor
from tinyflash.reference import schedule as reference
from tinyflash.runtime.host.schedule import native, rate_at
from tinyflash.runtime.schedule import KINDS, LONGEST, Kind, Schedule

LENGTHS = [*range(1, 40), 255, 256, 300, 1000, 4096]


def of_reals(schedule: Schedule, step: int) -> float:
    """The same course in double precision."""
    n = min(step, schedule.steps - 1)
    if n < schedule.warmup:
        return schedule.rate * (n + 1) / (schedule.warmup + 1)
    done = Fraction(n - schedule.warmup, schedule.steps - schedule.warmup)
    if schedule.kind == "cosine":
        return schedule.rate * math.sin(math.pi / 2 * float(1 - done)) ** 2
    if schedule.kind == "step":
        return float(schedule.rate * 0.1 ** int(done * 3))
    return schedule.rate


def twin(schedule: Schedule) -> reference.Schedule:
    return reference.Schedule(
        schedule.kind,
        schedule.highest,
        schedule.steps,
        schedule.warmup,
        schedule.drops,
        schedule.drop,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_every_step_is_the_references_and_close_to_the_real_course(kind: Kind, warmup: int) -> None:
    for steps in (n for n in LENGTHS if n > warmup):
        schedule = Schedule(kind, 0.0317, steps, warmup)
        for step in range(steps + 3):
            rate, exact = rate_at(schedule, step), of_reals(schedule, step)
            assert abs(rate - exact) <= exact * 2**-13, (steps, step)
            by_hand = reference.rate_at(twin(schedule), step)
            assert rate == math.ldexp(by_hand.mantissa, by_hand.exponent), (steps, step)


def raw(draw: random.Random) -> reference.Schedule:
    """Fields from anywhere in their ranges, factors at both ends of theirs."""
    steps = draw.choice([1, 2, LONGEST, draw.randint(1, LONGEST), draw.randint(1, 2**14)])
    exponent = draw.choice([-512, -500, -40, -15, 0, 511])
    lower = draw.randint(-512, -16)
    return reference.Schedule(
        draw.choice(KINDS),
        Factor(draw.choice([0x8000, 0xFFFF, draw.randint(0x8000, 0xFFFF)]), exponent),
        steps,
        draw.choice([0, steps - 1, draw.randint(0, steps - 1)]),
        draw.choice([0, 1, 3, 255]),
        draw.choice([Factor(0x8000, -15), Factor(0, 0), Factor(0xFFFF, -16), Factor(54321, lower)]),
    )


def as_native(schedule: reference.Schedule) -> object:
    fields = native(Schedule(schedule.kind, 1.0, 1))
    fields.rate = (schedule.rate.mantissa, schedule.rate.exponent)
    fields.drop = (schedule.drop.mantissa, schedule.drop.exponent)
    fields.steps, fields.warmup, fields.drops = schedule.steps, schedule.warmup, schedule.drops
    return fields


def test_the_whole_range_is_the_references_to_the_bit() -> None:
    draw = random.Random(8)
    for _ in range(3000):
        schedule = raw(draw)
        c = as_native(schedule)
        assert lib.tiny_schedule_check(c) == 0, schedule
        steps = schedule.steps
        for step in {0, steps // 3, steps // 2, steps - 1, steps, 2**32 - 1, draw.randrange(steps)}:
            rate, expected = lib.tiny_schedule_rate(c, step), reference.rate_at(schedule, step)
            assert (rate.mantissa, rate.exponent) == (expected.mantissa, expected.exponent)


def test_a_rate_is_a_normalised_factor() -> None:
    draw = random.Random(9)
    for _ in range(1000):
        schedule = raw(draw)
        rate = lib.tiny_schedule_rate(as_native(schedule), draw.randrange(schedule.steps))
        assert rate.mantissa >= 0x8000 or (rate.mantissa, rate.exponent) == (0, 0)
        assert -512 <= rate.exponent <= 511


def test_cosine_falls_and_warmup_rises() -> None:
    schedule = Schedule("cosine", 0.5, 1000, 100)
    rates = [rate_at(schedule, step) for step in range(1000)]
    assert all(a < b for a, b in pairwise(rates[:101]))
    assert all(a >= b for a, b in pairwise(rates[100:]))
    assert rates[100] == 0.5
    assert 0 < rates[-1] < 1e-5
    assert rates[0] == pytest.approx(0.5 / 101, rel=2**-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("steps", 0), ("steps", 2**31), ("warmup", 100), ("kind", 3)),
        *(("rate", (1, 0)), ("rate", (0x8000, 512))),
        *(("drop", (0x8001, -15)), ("drop", (0x8000, -14))),
    ],
)
def test_the_library_refuses_fields_out_of_range(field: str, value: object) -> None:
    schedule = native(Schedule("cosine", 0.5, 100, 10))
    assert lib.tiny_schedule_check(schedule) == 0
    setattr(schedule, field, value)
    error = lib.tiny_schedule_check(schedule)
    assert error == lib.TINY_ERROR_SCHEDULE
    assert "schedule" in ffi.string(lib.tiny_error_text(error)).decode()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "linear"}, "'linear' is not one of cosine, constant, step"),
        ({"rate": 0.0}, "above 0 and at most 100"),
        ({"rate": float("nan")}, "above 0"),
        ({"steps": 0}, "0 steps; it must have 1 to 2,147,483,647"),
        ({"warmup": 100}, "must be shorter than the run, which has 100"),
    ],
)
def test_what_a_user_gets_wrong_is_said(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Schedule(**{"kind": "cosine", "rate": 0.1, "steps": 100, **change})  # type: ignore[arg-type]


def test_the_highest_rate_is_the_factor_that_was_given() -> None:
    for rate in (0.03, 0.1, 1.0, 99.9, 1e-6):
        expected = factor(rate)
        assert rate_at(Schedule("cosine", rate, 10), 0) == math.ldexp(
            expected.mantissa, expected.exponent
        )
