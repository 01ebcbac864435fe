"""DDM, the drift detection method of Gama, Medas, Castillo and Rodrigues, "Learning with drift
detection", SBIA 2004: the error rate of a learner falls while what it sees stays the same.

With p the share of wrong answers so far and s = sqrt(p (1 - p) / n), it remembers where p + s was
lowest. It warns when p + s exceeds the lowest p by 2 of the lowest s, and finds a drift at 3; then
it begins anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LEAST = 30  # answers before it says anything, as published
_WARNS, _DRIFTS = 2.0, 3.0

Level = Literal["stable", "warning", "drift"]


@dataclass
class Ddm:
    """Add each answer in order. level: after the last one."""

    level: Level = "stable"
    _count: int = 0
    _wrong: int = 0
    _p: float = math.inf  # where p + s was lowest
    _s: float = math.inf

    def add(self, wrong: bool) -> Level:
        if self.level == "drift":
            self._count, self._wrong, self._p, self._s = 0, 0, math.inf, math.inf
        self._count += 1
        self._wrong += wrong
        p = self._wrong / self._count
        s = math.sqrt(p * (1 - p) / self._count)
        self.level = "stable"
        if self._count < LEAST:
            return self.level
        if p + s <= self._p + self._s:
            self._p, self._s = p, s
        if p + s > self._p + _DRIFTS * self._s:
            self.level = "drift"
        elif p + s > self._p + _WARNS * self._s:
            self.level = "warning"
        return self.level
