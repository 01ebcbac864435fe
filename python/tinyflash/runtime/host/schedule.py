"""The library's own arithmetic of learning rates: what a device uses is what the host uses."""

from __future__ import annotations

import math
from typing import Any

from tinyflash.runtime.host._tinyflash import ffi, lib  # type: ignore[import-not-found]
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
    """The rate of a step, as the number that its factor stands for: exact in double precision."""
    rate = lib.tiny_schedule_rate(native(schedule), step)
    return math.ldexp(rate.mantissa, rate.exponent)
