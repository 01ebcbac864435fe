"""The learning-rate schedule of a run: the user's settings, and the library's codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tinyflash.errors import DataError
from tinyflash.factor import factor
from tinyflash.program import Factor

Kind = Literal["cosine", "constant", "step"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_CODES: dict[Kind, int] = {"constant": 0, "step": 1, "cosine": 2}  # tiny_schedule_kind
DROPS, DROP = 2, 0.1  # times that the step schedule multiplies the rate by DROP, at equal intervals
LONGEST = 2**31 - 1


@dataclass(frozen=True)
class Schedule:
    """The rate of each of `steps` training steps. `warmup`: the first steps, with a rising rate."""

    kind: Kind
    rate: float
    steps: int
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"schedule {self.kind!r} is not one of {', '.join(KINDS)}")
        if not (math.isfinite(self.rate) and 0 < self.rate <= 100):
            raise DataError(f"rate is {self.rate}; it must be above 0 and at most 100")
        if not 1 <= self.steps <= LONGEST:
            raise DataError(f"the schedule has {self.steps} steps; it must have 1 to {LONGEST:,}")
        if not 0 <= self.warmup < self.steps:
            raise DataError(
                f"the warm-up has {self.warmup} steps; it must be shorter than the run, "
                f"which has {self.steps}"
            )

    @property
    def code(self) -> int:
        """The library's code of its kind."""
        return _CODES[self.kind]

    @property
    def highest(self) -> Factor:
        """The highest rate as the library's factor (SPEC 1.4)."""
        return factor(self.rate)

    @property
    def drop(self) -> Factor:
        return factor(DROP)

    @property
    def drops(self) -> int:
        return DROPS
