"""Placement of one storage after the other, each as low as it can lie: fast, and often the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tinyflash.compiler.plan.problem import Problem


def orders(problem: Problem) -> list[list[int]]:
    """Orders of all storages that suit different networks."""
    traits = _traits(problem)
    keys = [[key(t) for t in traits] for key in _ORDERS]
    return [sorted(range(len(k)), key=k.__getitem__) for k in keys]


def first_fit(problem: Problem, order: Sequence[int]) -> tuple[int, ...]:
    """Each storage in turn at the lowest offset that those before it leave free; but where a
    storage may lie over others, it comes before them, so that they find it below."""
    offsets: dict[int, int] = {}
    for i in _over_first(problem, order):
        taken = [  # pairs of bounds between which storage i cannot begin
            (offsets[rival.other] - rival.ahead, offsets[rival.other] + rival.behind)
            for rival in problem.rivals[i]
            if rival.other in offsets
        ]
        offsets[i] = _lowest(taken)
    return tuple(offsets[i] for i in range(len(offsets)))


def _over_first(problem: Problem, order: Sequence[int]) -> list[int]:
    over = {x: y for y, x, _ in problem.pairs}
    done: dict[int, None] = {}
    for start in order:
        chain, at = [], over.get(start)
        if start not in done:
            chain.append(start)
        while at is not None and at not in done:
            chain.append(at)
            at = over.get(at)
        done.update(dict.fromkeys(reversed(chain)))
    return list(done)


def _lowest(taken: list[tuple[int, int]]) -> int:
    offset = 0
    for low, high in sorted(taken):
        if offset <= low:
            break
        offset = max(offset, high)
    return offset


class _Traits(NamedTuple):
    """What orders go by. `load`: the most bytes that are needed at a time of a storage's life."""

    first: int
    span: int
    nbytes: int
    load: int

    @property
    def area(self) -> int:
        return self.nbytes * self.span


def _traits(problem: Problem) -> list[_Traits]:
    needed = problem.needed.items()
    return [
        _Traits(
            first=s.first,
            span=s.last - s.first + 1,
            nbytes=nbytes,
            load=max(total for time, total in needed if s.first <= time <= s.last),
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
