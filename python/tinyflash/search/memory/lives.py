"""When maps are live once some nodes are streamed, and what chains of overlaps need together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Lives:
    """Of maps, by number. death -1: never made. overs: for an output the map that it may overwrite,
    and the distance."""

    size: Sequence[int]
    born: Sequence[int]
    death: Sequence[int]
    overs: Mapping[int, tuple[int, int]]

    @cached_property
    def chained(self) -> int:
        """Returns a lower bound of the arena that no single time shows.

        If y is over x, and z over y later, y cannot be below x at the bottom and above z at once.
        Either all three are stacked, or one of the two overlaps is given up.
        """
        size = np.array(self.size, np.int64)
        born, death = np.array(self.born, np.int64), np.array(self.death, np.int64)
        best = 0
        for x, y, z, first, second in self._chains():
            passing = (born <= born[y]) & (death >= born[z])
            passing[[x, y, z]] = False
            stacked = max(first + second + size[x], second + size[y], size[z])
            least = min(stacked, size[x] + size[y], size[y] + size[z])
            best = max(best, int(least + size[passing].sum()))
        return best

    def _chains(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yields x, y over x, z over y, and both distances."""
        for z, (y, second) in self.overs.items():
            if y not in self.overs:
                continue
            x, first = self.overs[y]
            if self.death[x] >= self.born[y] >= 0 and self.death[y] >= self.born[z]:
                yield x, y, z, first, second
