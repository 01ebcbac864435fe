"""The contents of a scheme: rules for layers, and settings for the whole training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyflash.scheme.loss import CROSS_ENTROPY, Loss
from tinyflash.scheme.optimizer import ALIKE, PLAIN, Optimizer, Rates

ALL_LAYERS = 1 << 20  # more than any network has
DeadChannels = Literal["remove", "keep"]
Named = Literal["first", "largest"]
# Which channels of a layer's input are trained: by name, or those with these numbers in the source
# model, the most important one first.
Choice = Named | tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """Sets the ratio of trained input channels, whether the bias is trained, or a factor of the
    learning rate of both. None keeps the previous value."""

    layers: tuple[str, ...] = ()
    last: int | None = None
    operator: str | None = None
    weights: float | None = None
    bias: bool | None = None
    rate: float | None = None
    channels: Choice | None = None


@dataclass(frozen=True)
class Scheme:
    """Which weights and biases are trained, and how.

    head: classes of a new classifier. head_range: the largest weight that it can learn; None:
    as the old classifier suggests. headroom: SPEC 5.3. dead_channels: whether to keep channels that
    cannot learn. recompute: recomputes cheap tensors if that makes the arena smaller. fisher:
    judges the channels of so many last layers, or of maps by their names, in each training step
    (SPEC 15).
    """

    rules: tuple[Rule, ...] = ()
    head: int | None = None
    headroom: int = 1
    loss: Loss = CROSS_ENTROPY
    optimizer: Optimizer = PLAIN
    rates: Rates = ALIKE
    dead_channels: DeadChannels = "remove"
    recompute: bool = False
    head_range: float | None = None
    fisher: int | frozenset[str] = 0
