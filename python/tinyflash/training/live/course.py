"""The course of live learning: what each window was taken for before it was learned from.

Accuracy is prequential, "test, then train" (Gama, Sebastião and Rodrigues, "On evaluating stream
learning algorithms", 2013): over all windows so far, and over the last ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyflash.training.live.drift import Ddm, Level

SLIDING = 50  # windows


@dataclass(frozen=True)
class Seen:
    """A window. predicted, loss: by the weights before the step; loss in nats. surprising: the
    label had a low probability. learned: whether a training step followed."""

    label: int
    predicted: int
    loss: float
    surprising: bool
    learned: bool

    @property
    def correct(self) -> bool:
        return self.predicted == self.label


@dataclass(frozen=True)
class Course:
    """All windows in the order of time, and what they say."""

    seen: tuple[Seen, ...]

    def accuracy(self, last: int = 0) -> float | None:
        """Returns the prequential accuracy in percent, over the last windows; 0: over all. None
        without windows."""
        return share(self.seen[-last:] if last else self.seen)

    def sliding(self, last: int = SLIDING) -> list[float]:
        """Returns the accuracy in percent over the `last` windows up to each window."""
        hits, values = 0, []
        for i, one in enumerate(self.seen):
            hits += one.correct
            hits -= i >= last and self.seen[i - last].correct
            values.append(100 * hits / min(i + 1, last))
        return values

    def overall(self) -> list[float]:
        """Returns the accuracy in percent over all windows up to each window."""
        return self.sliding(max(1, len(self.seen)))

    def levels(self) -> list[Level]:
        """Returns what DDM says after each window."""
        ddm = Ddm()
        return [ddm.add(not one.correct) for one in self.seen]

    @property
    def drifts(self) -> tuple[int, ...]:
        """The numbers, from 0, of the windows at which DDM found a drift."""
        return tuple(i for i, level in enumerate(self.levels()) if level == "drift")

    @property
    def learned(self) -> int:
        return sum(one.learned for one in self.seen)

    @property
    def surprising(self) -> int:
        return sum(one.surprising for one in self.seen)

    def means(self, last: int = SLIDING) -> list[float]:
        """Returns the mean loss over the `last` windows up to each window."""
        losses = [one.loss for one in self.seen]
        return [math.fsum(losses[max(0, i - last + 1) : i + 1]) / min(i + 1, last)
                for i in range(len(losses))]  # fmt: skip


def share(seen: Sequence[Seen]) -> float | None:
    return 100 * sum(one.correct for one in seen) / len(seen) if seen else None
