"""Places one storage after the other, each as low as possible: fast, and often optimal."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tinyflash.compiler.plan.problem import Numbers, Problem

_ABSENT = -(1 << 48)  # below any offset minus any size


def orders(problem: Problem) -> list[list[int]]:
    """Returns several orders of all storages, each of which suits some networks."""
    traits = _traits(problem)
    keys = [[key(t) for t in traits] for key in _ORDERS]
    return [sorted(range(len(k)), key=k.__getitem__) for k in keys]


def first_fit(problem: Problem, order: Sequence[int]) -> tuple[int, ...]:
    """Places each storage in turn at the lowest free offset. A storage that may overlap others is
    placed before them, so that they find it below."""
    sizes = np.array(problem.sizes, np.int64)
    offsets = np.full_like(sizes, _ABSENT)
    for i in over_first(problem, order):
        offsets[i] = _lowest(*_taken(problem, i, offsets, sizes))
    return tuple(offsets.tolist())


def _taken(problem: Problem, i: int, offsets: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """Returns pairs of bounds between which storage i cannot begin, one for each rival."""
    rivals = problem.rivals[i]
    others = offsets[rivals]
    low, high = others - sizes[i], others + sizes[rivals]
    if i in problem.below:
        other, distance = problem.below[i]
        low[rivals.searchsorted(other)] = offsets[other] - distance
    if i in problem.above:
        other, distance = problem.above[i]
        high[rivals.searchsorted(other)] = offsets[other] + distance
    return low, high


def over_first(problem: Problem, order: Sequence[int]) -> list[int]:
    over = problem.above
    done: dict[int, None] = {}
    for start in order:
        chain, at = [], over.get(start)
        if start not in done:
            chain.append(start)
        while at is not None and at[0] not in done:
            chain.append(at[0])
            at = over.get(at[0])
        done.update(dict.fromkeys(reversed(chain)))
    return list(done)


def _lowest(low: Numbers, high: Numbers) -> int:
    """Returns the lowest offset, 0 or one of `high`, that is not strictly between two bounds."""
    order = low.argsort()
    reached = np.zeros(len(order) + 1, np.int64)  # the highest end of the bounds before
    np.maximum.accumulate(high[order], out=reached[1:])
    np.maximum(reached, 0, out=reached)
    free = reached[:-1] <= low[order]
    return int(reached[free.argmax() if free.any() else -1])


class _Traits(NamedTuple):
    """Sort keys of the orders. `load`: the most bytes needed at any time of a storage's life."""

    first: int
    span: int
    nbytes: int
    load: int

    @property
    def area(self) -> int:
        return self.nbytes * self.span


def _traits(problem: Problem) -> list[_Traits]:
    times, totals = list(problem.needed), np.array(list(problem.needed.values()))
    return [
        _Traits(
            first=s.first,
            span=s.last - s.first + 1,
            nbytes=nbytes,
            load=int(totals[bisect_left(times, s.first) : bisect_right(times, s.last)].max()),
        )
        for s, nbytes in zip(problem.storages, problem.sizes, strict=True)
    ]


_ORDERS: tuple[Callable[[_Traits], tuple[int, ...]], ...] = (
    lambda t: (-t.nbytes, t.first),
    lambda t: (-t.load, -t.span),
    lambda t: (-t.load, -t.area),
    lambda t: (-t.area, t.first),
    lambda t: (-t.span, -t.nbytes),
    lambda t: (t.first, -t.nbytes),
    lambda t: (-t.first, -t.nbytes),
)
