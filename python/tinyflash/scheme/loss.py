"""The training losses (SPEC 4.7, 4.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

LossName = Literal["cross_entropy", "mean_squared_error", "binary_cross_entropy"]
LOSSES: tuple[str, ...] = get_args(LossName)


@dataclass(frozen=True)
class Loss:
    """A loss by name. `smoothing`: the share of a label that is spread over all classes."""

    kind: LossName = "cross_entropy"
    smoothing: float = 0.0

    @property
    def has_target(self) -> bool:
        """Whether the loss compares the output with a target, not with a label."""
        return self.kind != "cross_entropy"


CROSS_ENTROPY = Loss()
