"""How trained weights move: the settings of a scheme, each a compile option.

    [optimizer]
    momentum = 0.9              # 2 bytes per trained weight, 4 per bias
    accumulate = 4              # samples per move of the weights; shares the bytes of momentum
    master = true               # 8 more bits kept of each weight: 1 byte per trained weight
    weight_decay = 1e-4         # per unit of learning rate; biases do not decay
    saturation_limit = 0.01     # leave out a step in which more of a gradient saturated
    rounding = "nearest"        # for comparison: what makes small updates vanish

What is left out costs nothing. docs/results.md has what each costs in instructions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tinyflash.errors import SchemeError

Rounding = Literal["stochastic", "nearest"]
_LARGEST_RATE = 1000


@dataclass(frozen=True)
class Optimizer:
    """The rule that all updates of a scheme follow (SPEC 6); the default is plain descent.

    accumulate: the weights move once in so many samples, by the sum of their steps.
    saturation_limit: share of a gradient's elements, from 0 to 1; None: never skip.
    """

    momentum: float = 0.0
    weight_decay: float = 0.0
    accumulate: int = 1
    master: bool = False
    rounding: Rounding = "stochastic"
    saturation_limit: float | None = None

    def __post_init__(self) -> None:
        _number("optimizer: momentum", self.momentum, 0, 0.999)
        _number("optimizer: weight_decay", self.weight_decay, 0, 1)
        if self.saturation_limit is not None:
            _number("optimizer: saturation_limit", self.saturation_limit, 0, 1)
        if type(self.accumulate) is not int or not 1 <= self.accumulate <= 65535:
            raise SchemeError("optimizer: accumulate must be a whole number from 1 to 65535")
        if not isinstance(self.master, bool):
            raise SchemeError("optimizer: master must be true or false")
        if self.rounding not in get_args(Rounding):
            raise SchemeError(f"optimizer: rounding must be one of {', '.join(get_args(Rounding))}")

    @property
    def has_velocity(self) -> bool:
        return self.momentum > 0 or self.accumulate > 1


@dataclass(frozen=True)
class Rates:
    """What multiplies the learning rate of a group, at no cost; the classifier's biases are in
    both."""

    head: float = 1.0
    bias: float = 1.0

    def __post_init__(self) -> None:
        for name in ("head", "bias"):
            check_rate(getattr(self, name), f"rates: {name}", what="")


def check_rate(value: object, where: str, what: str = ": rate") -> None:
    """Raises SchemeError unless `value` may multiply a learning rate."""
    _number(f"{where}{what}", value, 0, _LARGEST_RATE)
    if value == 0:
        raise SchemeError(f"{where}{what} is 0: to train nothing, leave the layer out")


def _number(what: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(float(value)) or not low <= float(value) <= high:  # type: ignore[arg-type]
        raise SchemeError(f"{what} must be a number from {low} to {high}")


PLAIN, ALIKE = Optimizer(), Rates()
