"""The placement problem: storages with sizes and lifetimes, and the pairs that may share bytes.

If two storages are live at the same time, one begins after the other's end. The exception is a pair
where `over` is computed row by row from `under`, which dies meanwhile: then `over` may begin a
distance below `under`, so that its rows stay behind those still to be read.
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
    """The bytes needed at one time."""

    nbytes: int
    time: int


@dataclass(frozen=True)
class Problem:
    """The storages, and the pairs of them that may overlap. Solvers use their indices."""

    storages: tuple[Storage, ...]
    overlaps: tuple[Overlap, ...] = ()

    def __post_init__(self) -> None:
        """Checks that a storage is at most once `over` and once `under` at any time: pairs form
        chains."""
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
        """The indices of over and under, and their distance, latest first."""
        index = {s.name: i for i, s in enumerate(self.storages)}
        pairs = [(index[o.over], index[o.under], aligned(o.distance)) for o in self.overlaps]
        return tuple(sorted(pairs, key=lambda pair: -self.storages[pair[0]].first))

    @cached_property
    def below(self) -> dict[int, tuple[int, int]]:
        """For each storage that may be over another one: the other one, and their distance."""
        return {y: (x, distance) for y, x, distance in self.pairs}

    @cached_property
    def above(self) -> dict[int, tuple[int, int]]:
        """For each storage that may be under another one: the other one, and their distance."""
        return {x: (y, distance) for y, x, distance in self.pairs}

    @cached_property
    def rivals(self) -> tuple[Numbers, ...]:
        """For each storage, the storages live at a common time, ascending.

        Of two rivals, one begins after the other's end, except that `over` of a pair may begin its
        distance below `under`.
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
        """The most bytes needed at any one time, and the first such time.

        This is exact for a single time. For all times together it is a lower bound: the best
        placements at two times may contradict each other.
        """
        peaks = (Peak(nbytes, time) for time, nbytes in self.needed.items())
        return max(peaks, key=lambda peak: peak.nbytes, default=Peak(0, 0))

    @cached_property
    def needed(self) -> dict[int, int]:
        """The bytes needed at each time when a storage begins. No other time needs more: all
        storages live at any time are also live when the last of them begins."""
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
        """Yields, for each time, the pairs with both storages live, in their order."""
        found: dict[int, list[tuple[int, int, int]]] = {}
        for pair in self.pairs:
            y, x = self.storages[pair[0]], self.storages[pair[1]]
            end = bisect_right(times, min(x.last, y.last))
            for time in times[bisect_left(times, y.first) : end]:
                found.setdefault(time, []).append(pair)
        return found

    def _shared(self, pairs: Sequence[tuple[int, int, int]]) -> int:
        """Returns the most bytes that pairs live at one time may share. The least height of all
        storages live then is the sum of their sizes minus this.

        A pair shares at most the size of `under`, and at most the size of `over` minus the
        distance. In a chain c over b over a, c and a do not overlap, so b shares at most its own
        size with both. These limits are sufficient: if storages are placed in the order of their
        chain, each shifted over the one before by the bytes they share, all distances hold. Since
        every limit links neighbours of a chain, sharing as much as possible from one end on is
        optimal for the whole chain.
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
        """Returns the problem of some of the storages."""
        storages = tuple(compress(self.storages, chosen))
        names = {s.name for s in storages}
        return Problem(storages, tuple(o for o in self.overlaps if {o.over, o.under} <= names))

    def height(self, offsets: Sequence[int]) -> int:
        """Returns the bytes that a placement takes."""
        return max((o + size for o, size in zip(offsets, self.sizes, strict=True)), default=0)
