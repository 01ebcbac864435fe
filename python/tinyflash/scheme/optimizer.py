"""The optimizer settings of a scheme. Each is fixed at compile time.

    [optimizer]
    momentum = 0.9              # 2 bytes per trained weight, 4 per bias
    accumulate = 4              # samples per update of the weights; shares momentum's bytes
    master = true               # keeps 8 more bits of each weight: 1 byte per trained weight
    weight_decay = 1e-4         # per unit of learning rate; biases do not decay
    saturation_limit = 0.01     # skip a step in which a larger share of a gradient saturated
    rounding = "nearest"        # for comparison only: small updates vanish

Settings that you omit cost nothing. docs/results.md lists the instructions that each costs.
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
    """The update rule of a scheme (SPEC 6). Default: plain gradient descent.

    accumulate: samples per update of the weights; the update is the sum of their steps.
    saturation_limit: skip a step in which a larger share of a gradient's elements, 0 to 1,
    saturated; None: never skip.
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
    """Factors of the learning rate for two groups, at no cost. The classifier's biases are in
    both."""

    head: float = 1.0
    bias: float = 1.0

    def __post_init__(self) -> None:
        for name in ("head", "bias"):
            check_rate(getattr(self, name), f"rates: {name}", what="")


def check_rate(value: object, where: str, what: str = ": rate") -> None:
    """Raises SchemeError if `value` cannot be a factor of a learning rate."""
    _number(f"{where}{what}", value, 0, _LARGEST_RATE)
    if value == 0:
        raise SchemeError(f"{where}{what} is 0: to train nothing, leave the layer out")


def _number(what: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(float(value)) or not low <= float(value) <= high:  # type: ignore[arg-type]
        raise SchemeError(f"{what} must be a number from {low} to {high}")


PLAIN, ALIKE = Optimizer(), Rates()
