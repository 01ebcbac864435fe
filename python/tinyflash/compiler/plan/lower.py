"""Lowers a placement by thousands of small changes of the order in which storages are placed.

A try is cheap: what comes before the change stays where it is, and the try ends as soon as a
storage ends above the lowest height so far. So thousands take about a second, where those of
`improve` would take a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from tinyflash.compiler.plan.greedy import over_first
from tinyflash.compiler.plan.problem import Problem

# Shares of the changes: a storage at the top moves, or any; each before a rival, since others are
# not in its way. The other changes swap any two.
_TOP, _ANY = 0.5, 0.25

_Arranged = Callable[[Sequence[int]], list[int]]


class _Stack(NamedTuple):
    """The order of a placement, its offsets, and its height."""

    order: list[int]
    offsets: list[int]
    height: int


def lowered(
    problem: Problem, order: Sequence[int], offsets: Sequence[int], bound: int, looks: int
) -> tuple[int, ...]:
    """Returns the lowest placement found, never above the given one. Three starts share the looks
    at rivals, and each ends at `bound`: the given placement; the greedy order, in which a storage
    that may overlap others is placed before them; and the latest storages first."""
    first = [s.first for s in problem.storages]
    upwards = sorted(range(len(offsets)), key=lambda i: (offsets[i], -first[i]))
    latest = sorted(range(len(offsets)), key=lambda i: (-first[i], -problem.sizes[i]))
    best = tuple(offsets)
    starts: list[tuple[Sequence[int], _Arranged]] = [
        (upwards, list), (order, partial(over_first, problem)), (latest, list)
    ]  # fmt: skip
    for start, arranged in starts:
        if problem.height(best) > bound:
            found = _lowered(problem, start, bound, looks // len(starts), arranged)
            best = min(best, found, key=problem.height)
    return best


def _lowered(
    problem: Problem,
    order: Sequence[int],
    bound: int,
    looks: int,
    arranged: _Arranged,
) -> tuple[int, ...]:
    """Keeps each change that gets no higher. Deterministic."""
    random, tries = Random(0), _Tries(problem)
    none = _Stack([], [], sum(problem.sizes))  # all beside each other are no higher
    best = tries.fit(arranged(order), none) or none
    while best.height > bound and tries.looks < looks:
        changed = arranged(tries.changed(best, random))
        best = tries.fit(changed, best) or best
    return tuple(best.offsets)


class _Tries:
    """Places storages in many orders, and counts the rivals that it looks at."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.sizes = problem, problem.sizes
        # each with the least that a storage begins below it, and above it; plain tuples are faster
        self.rivals = [
            [(j, *_gaps(problem, i, j)) for j in rivals.tolist()]
            for i, rivals in enumerate(problem.rivals)
        ]
        self.together = [set(rivals.tolist()) for rivals in problem.rivals]
        self.looks = 0

    def fit(self, order: list[int], best: _Stack) -> _Stack | None:
        """Places each storage in turn at its lowest free offset; None if one ends above the best.
        What both orders begin with stays where it is."""
        offsets, start = [-1] * len(order), 0
        for i, other in zip(order, best.order, strict=False):
            if i != other:
                break
            offsets[i], start = best.offsets[i], start + 1
        self.looks += len(order)
        for i in order[start:]:
            offsets[i] = self._lowest(i, offsets)
            if offsets[i] + self.sizes[i] > best.height:
                return None
        return _Stack(order, offsets, self.problem.height(offsets))

    def _lowest(self, i: int, offsets: list[int]) -> int:
        rivals = self.rivals[i]
        self.looks += len(rivals)
        taken = [(o - up, o + down) for j, up, down in rivals if (o := offsets[j]) >= 0]
        taken.sort()
        at = 0
        for low, high in taken:  # it cannot begin strictly between these
            if at <= low:
                break
            if high > at:  # max() takes longer than the rest of this loop
                at = high
        return at

    def changed(self, stack: _Stack, random: Random) -> list[int]:
        """Returns another order."""
        order, kind = list(stack.order), random.random()
        if kind >= _TOP + _ANY:
            a, b = random.randrange(len(order)), random.randrange(len(order))
            order[a], order[b] = order[b], order[a]
            return order
        chosen = random.choice(self._top(stack) if kind < _TOP else order)
        position = order.index(chosen)
        earlier = [i for i in range(position) if order[i] in self.together[chosen]]
        if earlier:
            order.insert(random.choice(earlier), order.pop(position))
        return order

    def _top(self, stack: _Stack) -> list[int]:
        sizes, height = self.sizes, stack.height
        return [i for i, offset in enumerate(stack.offsets) if offset + sizes[i] == height]


def _gaps(problem: Problem, i: int, j: int) -> tuple[int, int]:
    """Returns the least offset(j) - offset(i) if i is below its rival j, and the least
    offset(i) - offset(j) if it is above."""
    other, distance = problem.below.get(i, (-1, 0))
    up = distance if other == j else problem.sizes[i]
    other, distance = problem.above.get(i, (-1, 0))
    return up, distance if other == j else problem.sizes[j]
