"""SPEC 4.3 and 5: storing gradients as int8, and the exponents they are stored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflash.reference.arith import INT32_MAX, Ints

COUNTER_MAX = 2**32 - 1
CLIPPED_MAX = 2**16 - 1
EXPONENT_MIN, EXPONENT_MAX = -40, 15
QUIET_STEPS = 16


@dataclass
class Scale:
    """One `tiny_scale`."""

    exponent: int = 0
    quiet: int = 0
    clipped: int = 0
    peak: int = 0
    saturated: int = 0


def store(v: Ints, passes: Ints | None, scale: Scale) -> Ints:
    """SPEC 4.3: int32 values to stored ones; `passes` are the bits of the mask, None: all."""
    passing = v if passes is None else np.where(passes.reshape(v.shape) != 0, v, 0)
    magnitude = np.minimum(np.abs(passing), INT32_MAX)
    scale.peak = max(scale.peak, int(magnitude.max(initial=0)))
    stored = np.clip(passing, -127, 127)
    saturated = int((stored != passing).sum())
    scale.saturated = min(scale.saturated + saturated, COUNTER_MAX)
    scale.clipped = min(scale.clipped + saturated, CLIPPED_MAX)
    return stored


def advance(scales: Sequence[Scale], headroom: int) -> None:
    """SPEC 5.3, all but the count of steps; scales[0] is that of the loss gradient."""
    if scales[0].peak != 0:
        for scale in scales[1:]:
            _move(scale, 127 >> headroom)
    for scale in scales:
        scale.peak = scale.clipped = 0


def _move(scale: Scale, limit: int) -> None:
    if scale.peak > limit:
        while scale.peak > limit:
            scale.peak >>= 1
            scale.exponent += 1
        scale.quiet = 0
    elif scale.peak <= limit // 2:
        scale.quiet += 1
        if scale.quiet == QUIET_STEPS:
            scale.exponent -= 1
            scale.quiet = 0
    else:
        scale.quiet = 0
    scale.exponent = min(max(scale.exponent, EXPONENT_MIN), EXPONENT_MAX)
