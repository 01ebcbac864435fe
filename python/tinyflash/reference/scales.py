"""SPEC 4.3 and 5: stores gradients as int8, and updates their exponents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflash.reference.arith import INT32_MAX, Ints

COUNTER_MAX = 2**32 - 1
CLIPPED_MAX = 2**16 - 1
EXPONENT_MIN, EXPONENT_MAX = -40, 15
GAIN_MIN, GAIN_MAX = -64, 63


@dataclass
class Scale:
    """One `tiny_scale`."""

    exponent: int = 0
    gain: int = 0
    clipped: int = 0
    peak: int = 0
    saturated: int = 0


def store(v: Ints, passes: Ints | None, scale: Scale) -> Ints:
    """SPEC 4.3: turns int32 values into stored ones. passes: the bits of the mask; None: all
    set."""
    passing = v if passes is None else np.where(passes.reshape(v.shape) != 0, v, 0)
    magnitude = np.minimum(np.abs(passing), INT32_MAX)
    scale.peak = max(scale.peak, int(magnitude.max(initial=0)))
    stored = np.clip(passing, -127, 127)
    saturated = int((stored != passing).sum())
    scale.saturated = min(scale.saturated + saturated, COUNTER_MAX)
    scale.clipped = min(scale.clipped + saturated, CLIPPED_MAX)
    return stored


def follow(sources: Sequence[Scale], scale: Scale) -> None:
    """SPEC 5.2: the exponent of a gradient before it is computed from `sources`."""
    levels = [s.exponent + min(s.peak, 127).bit_length() for s in sources if s.peak]
    if levels:
        scale.exponent = min(max(max(levels) + scale.gain, EXPONENT_MIN), EXPONENT_MAX)
    else:
        scale.gain = min(scale.gain + 1, GAIN_MAX)


def advance(scales: Sequence[Scale], headroom: int) -> None:
    """SPEC 5.3, except the count of steps. scales[0] is the loss gradient's."""
    for scale in scales[1:]:
        _move(scale, 127 >> headroom)
    for scale in scales:
        scale.peak = scale.clipped = 0


def _move(scale: Scale, limit: int) -> None:
    gain, peak = scale.gain, scale.peak
    while peak > limit:
        peak >>= 1
        gain += 1
    if scale.peak <= limit // 4:
        gain -= 1
    scale.gain = min(max(gain, GAIN_MIN), GAIN_MAX)
