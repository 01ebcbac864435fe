"""What is to be placed: storages with sizes and lifetimes, and which of them may share bytes.

Two storages that are live at a common time keep a distance: one begins behind the other's end. The
exception is a pair in which `over` is made row by row of `under` while `under` is used up: then
`over` may follow its rows, a few bytes behind what is still to be read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, compress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.errors import InternalError
from tinyflash.graph import aligned

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Overlap:
    """Two storages, by name, that may share bytes as long as offset(over) + distance <=
    offset(under). The distance is at most the size of `over`, and never negative: nothing of
    `under` is used up before the first row of `over` is written."""

    over: str
    under: str
    distance: int


class Peak(NamedTuple):
    """Bytes that are needed at a time."""

    nbytes: int
    time: int


@dataclass(frozen=True)
class Problem:
    """Storages, and the pairs among them that may overlap. Solvers know them by index."""

    storages: tuple[Storage, ...]
    overlaps: tuple[Overlap, ...] = ()

    def __post_init__(self) -> None:
        """At any time a storage is at most once `over` and once `under`: pairs form chains."""
        for role in ("over", "under"):
            named = [getattr(overlap, role) for overlap in self.overlaps]
            if len(set(named)) < len(named):
                raise InternalError(f"plan: a storage is {role} two others")
        for y, x, distance in self.pairs:
            apart = self.storages[y].first > self.storages[x].last
            late = self.storages[y].first <= self.storages[x].first
            if apart or late or not 0 <= distance <= self.sizes[y]:
                names = f"{self.storages[y].name} over {self.storages[x].name}"
                raise InternalError(f"plan: {names} by {distance} is no overlap")

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(aligned(s.nbytes) for s in self.storages)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int, int], ...]:
        """Indices of over and under, and their distance, those made last first."""
        index = {s.name: i for i, s in enumerate(self.storages)}
        pairs = [(index[o.over], index[o.under], aligned(o.distance)) for o in self.overlaps]
        return tuple(sorted(pairs, key=lambda pair: -self.storages[pair[0]].first))

    @cached_property
    def below(self) -> dict[int, tuple[int, int]]:
        """Of each storage that may lie over another one: which one, and their distance."""
        return {y: (x, distance) for y, x, distance in self.pairs}

    @cached_property
    def above(self) -> dict[int, tuple[int, int]]:
        """Of each storage that another one may lie over: which one, and their distance."""
        return {x: (y, distance) for y, x, distance in self.pairs}

    @cached_property
    def rivals(self) -> tuple[Numbers, ...]:
        """For each storage those that are live together with it, ascending.

        Of two rivals one begins behind the other's end; but `over` of a pair may begin its distance
        below `under`.
        """
        first = np.array([s.first for s in self.storages], np.int64)
        last = np.array([s.last for s in self.storages], np.int64)
        found = []
        for i, storage in enumerate(self.storages):
            together = (first <= storage.last) & (last >= storage.first)
            together[i] = False
            found.append(np.flatnonzero(together))
        return tuple(found)

    @cached_property
    def lower_bound(self) -> Peak:
        """The most that is needed at any one time, and the first such time.

        For a single time this is exact. For all times together it is a bound: what is best at one
        time may not go with what is best at another.
        """
        peaks = (Peak(nbytes, time) for time, nbytes in self.needed.items())
        return max(peaks, key=lambda peak: peak.nbytes, default=Peak(0, 0))

    @cached_property
    def needed(self) -> dict[int, int]:
        """Bytes that are needed at each time at which a storage begins. No other time needs more,
        since what is live there is live when the last of it begins."""
        times = sorted({s.first for s in self.storages})
        changes = dict.fromkeys(times, 0)
        for storage, size in zip(self.storages, self.sizes, strict=True):
            changes[storage.first] += size
            end = bisect_right(times, storage.last)
            if end < len(times):
                changes[times[end]] -= size
        sums = accumulate(changes.values())
        pairs = self._pairs_at(times)
        return {t: n - self._shared(pairs.get(t, ())) for t, n in zip(times, sums, strict=True)}

    def _pairs_at(self, times: Sequence[int]) -> dict[int, list[tuple[int, int, int]]]:
        """The pairs of which both are live, in their order, by time."""
        found: dict[int, list[tuple[int, int, int]]] = {}
        for pair in self.pairs:
            y, x = self.storages[pair[0]], self.storages[pair[1]]
            end = bisect_right(times, min(x.last, y.last))
            for time in times[bisect_left(times, y.first) : end]:
                found.setdefault(time, []).append(pair)
        return found

    def _shared(self, pairs: Sequence[tuple[int, int, int]]) -> int:
        """The most that pairs, live at one time, may share: the least height of all that is live
        then is the sum less this.

        A pair shares at most the size of `under`, and of `over` what is behind the distance. In a
        chain c over b over a, c and a are apart, so that what b shares with the two is at most its
        size. These limits are enough: storages laid in the order of their chain, each shifted over
        the one before by what they share, keep all distances. As every limit joins neighbours of a
        chain, to share as much as possible from its one end on is the best for all of it.
        """
        left = {i: self.sizes[i] for y, x, _ in pairs for i in (y, x)}
        total = 0
        for y, x, distance in pairs:
            shared = min(self.sizes[y] - distance, left[y], left[x])
            left[y] -= shared
            left[x] -= shared
            total += shared
        return total

    def part(self, chosen: Sequence[bool]) -> Problem:
        """The problem of some of the storages alone."""
        storages = tuple(compress(self.storages, chosen))
        names = {s.name for s in storages}
        return Problem(storages, tuple(o for o in self.overlaps if {o.over, o.under} <= names))

    def height(self, offsets: Sequence[int]) -> int:
        """Bytes that a placement takes."""
        return max((o + size for o, size in zip(offsets, self.sizes, strict=True)), default=0)
