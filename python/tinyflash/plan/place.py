"""Gives each storage an offset in the arena, so that no two live at once overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tinyflash.plan.lifetimes import Storage
from tinyflash.plan.problem import Problem

EXCHANGES = 400


@dataclass(frozen=True)
class Placement:
    """A storage at `offset` bytes."""

    storage: Storage
    offset: int


def place(problem: Problem) -> tuple[Placement, ...]:
    """The smallest of several greedy placements, improved by search where none meets the bound."""
    indices = range(len(problem.storages))
    orders = [sorted(indices, key=lambda i, k=key: k(problem.storages[i])) for key in _ORDERS]
    order = min(orders, key=lambda o: problem.height(_first_fit(problem, o)))
    offsets = _first_fit(problem, _improved(problem, order))
    return tuple(Placement(s, o) for s, o in zip(problem.storages, offsets, strict=True))


def _improved(problem: Problem, order: list[int]) -> list[int]:
    """Exchanges two storages in the order of placement, repeatedly, while that does no harm."""
    random = Random(0)  # the same graph has the same plan
    height = problem.height(_first_fit(problem, order))
    for _ in range(EXCHANGES):
        if height == problem.lower_bound.nbytes:
            break
        other = list(order)
        i, j = random.randrange(len(order)), random.randrange(len(order))
        other[i], other[j] = other[j], other[i]
        changed = problem.height(_first_fit(problem, other))
        if changed <= height:
            order, height = other, changed
    return order


_ORDERS: tuple[Callable[[Storage], tuple[int, ...]], ...] = (
    lambda s: (-s.nbytes, s.first),
    lambda s: (-s.nbytes * (s.last - s.first + 1), s.first),
    lambda s: (s.first - s.last, -s.nbytes),
    lambda s: (s.first, -s.nbytes),
    lambda s: (s.last, -s.nbytes),
)


def _first_fit(problem: Problem, order: Sequence[int]) -> list[int]:
    """Each storage at the lowest offset that those placed before it allow."""
    offsets: dict[int, int] = {}
    for index in order:
        forbidden = sorted(
            (offsets[r.index] - r.ahead, offsets[r.index] + r.behind)
            for r in problem.rivals[index]
            if r.index in offsets
        )
        offset = 0
        for low, high in forbidden:
            if low < offset < high:
                offset = high
        offsets[index] = offset
    return [offsets[i] for i in range(len(order))]
