"""The library's own learning-rate arithmetic: device and host use the same."""

from __future__ import annotations

import math
from typing import Any

from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.schedule import Schedule


def native(schedule: Schedule) -> Any:
    """A `tiny_schedule`."""
    rate, drop = schedule.highest, schedule.drop
    fields = {
        "rate": (rate.mantissa, rate.exponent),
        "drop": (drop.mantissa, drop.exponent),
        "steps": schedule.steps,
        "warmup": schedule.warmup,
        "kind": schedule.code,
        "drops": schedule.drops,
    }
    return ffi.new("tiny_schedule *", fields)


def rate_at(schedule: Schedule, step: int) -> float:
    """Returns the rate of a step, the value of its factor: exact in double precision."""
    rate = lib.tiny_schedule_rate(native(schedule), step)
    return math.ldexp(rate.mantissa, rate.exponent)
