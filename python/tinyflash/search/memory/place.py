"""A quick placement: what a few orders reach, in plain numbers.

The planner's own search takes longer and meets the lower bound of nearly all plans. If a placement
here meets it too, the planner's needs no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOST = 8_000  # pairs of rivals to look at, over all orders: a few milliseconds


class Block(NamedTuple):
    """Bytes that are live from one time to another, inclusive."""

    size: int
    first: int
    last: int


class Over(NamedTuple):
    """Block y may begin `distance` bytes below block x instead of its own size."""

    y: int
    x: int
    distance: int


@dataclass(frozen=True)
class Blocks:
    """A placement problem. overs: each block is at most once y and once x."""

    blocks: Sequence[Block]
    overs: Sequence[Over]

    @cached_property
    def together(self) -> npt.NDArray[np.bool_]:
        """Which two blocks are live at a common time."""
        first, last = (
            np.array([getattr(b, end) for b in self.blocks]) for end in ("first", "last")
        )
        found = (first[:, None] <= last) & (first <= last[:, None])
        np.fill_diagonal(found, val=False)
        return found

    @cached_property
    def rivals(self) -> list[list[int]]:
        """The blocks that are live together with each block."""
        return [np.flatnonzero(row).tolist() for row in self.together]

    @cached_property
    def chains(self) -> dict[int, list[int]]:
        """The blocks that must be placed before each one: those that may be over it."""
        above = {o.x: o.y for o in self.overs}
        found = {}
        for i in range(len(self.blocks)):
            chain, at = [], above.get(i)
            while at is not None:
                chain.append(at)
                at = above.get(at)
            found[i] = chain[::-1]
        return found

    @cached_property
    def gaps(self) -> dict[tuple[int, int], int]:
        """The least offset(x) - offset(y) of pairs."""
        return {(o.y, o.x): o.distance for o in self.overs}

    def first_fit(self, order: Sequence[int]) -> int:
        """Returns the height of placing each block as low as possible, in this order."""
        offsets: dict[int, int] = {}
        height = 0
        for start in order:
            for i in (*self.chains[start], start):
                if i not in offsets:
                    offsets[i] = at = self._lowest(i, offsets)
                    height = max(height, at + self.blocks[i].size)
        return height

    def _lowest(self, i: int, offsets: dict[int, int]) -> int:
        size, blocks, gaps = self.blocks[i].size, self.blocks, self.gaps
        bounds = sorted(
            (
                offsets[j] - gaps.get((i, j), size),
                offsets[j] + gaps.get((j, i), blocks[j].size),
            )
            for j in self.rivals[i]
            if j in offsets
        )
        at = 0
        for low, high in bounds:  # i cannot begin strictly between these
            if at <= low:
                break
            at = max(at, high)
        return at


def height(problem: Blocks, aim: int) -> int:
    """Returns the lowest height found within MOST pairs; stops at `aim`. Deterministic."""
    best = sum(block.size for block in problem.blocks)  # all beside each other
    cost = int(problem.together.sum()) if best > aim else 0
    for number, order in enumerate(_orders(problem.blocks), start=1):
        if best <= aim or number * cost > MOST:
            break
        best = min(best, problem.first_fit(order))
    return best


def _orders(blocks: Sequence[Block]) -> Iterator[list[int]]:
    count = range(len(blocks))
    span = [b.last - b.first + 1 for b in blocks]
    yield sorted(count, key=lambda i: (-blocks[i].size, blocks[i].first))
    yield sorted(count, key=lambda i: (-blocks[i].size * span[i], blocks[i].first))
    yield sorted(count, key=lambda i: (-span[i], -blocks[i].size))
    yield sorted(count, key=lambda i: (blocks[i].first, -blocks[i].size))
