"""SPEC 8: the learning-rate schedule, on Python integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyflash.program import Factor

ZERO = Factor(0, 0)


@dataclass(frozen=True)
class Schedule:
    """SPEC 8.1."""

    kind: Literal["constant", "step", "cosine"]
    rate: Factor
    steps: int
    warmup: int = 0
    drops: int = 0
    drop: Factor = ZERO


def norm(v: int, e: int) -> Factor:
    """SPEC 8.2: the factor nearest to v * 2^e."""
    s = v.bit_length() - 16
    mantissa = (v + (1 << s - 1)) >> s if s > 0 else v << -s
    if mantissa == 2**16:
        mantissa, s = 2**15, s + 1
    return Factor(mantissa, e + s) if v > 0 and e + s >= -512 else ZERO


def times(f: Factor, g: Factor) -> Factor:
    """SPEC 8.2."""
    return norm(f.mantissa * g.mantissa, f.exponent + g.exponent)


def share(a: int, b: int) -> int:
    """SPEC 8.2: a / b in units of 2^-30."""
    return (a << 30) // b


def _hi(a: int, b: int) -> int:
    return (a * b) >> 30


def _cosine(u: int) -> Factor:
    """SPEC 8.4: the remaining share of the rate."""
    z = _hi(u, u)
    p = 0
    for coefficient in (4684165, 85349219, 693552367, 1686629137):
        p = coefficient - _hi(z, p)
    return norm(_hi(u, p) ** 2, -60)


def _dropped(schedule: Schedule, k: int, count: int) -> Factor:
    """SPEC 8.5."""
    rate = schedule.rate
    for _ in range(min(schedule.drops, k * (schedule.drops + 1) // count)):
        rate = times(rate, schedule.drop)
    return rate


def rate_at(schedule: Schedule, step: int) -> Factor:
    """Returns the rate of step 0, 1, ... of a run."""
    rate, warmup = schedule.rate, schedule.warmup
    n = min(step, schedule.steps - 1)
    if n < warmup:
        return norm(rate.mantissa * share(n + 1, warmup + 1), rate.exponent - 30)
    k, count = n - warmup, schedule.steps - warmup
    if schedule.kind == "step":
        return _dropped(schedule, k, count)
    if schedule.kind == "cosine":
        return times(rate, _cosine(share(count - k, count)))
    return rate
