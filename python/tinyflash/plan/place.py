"""Gives each storage an offset in the arena: the best greedy placement, improved by a search where
it misses the lower bound."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.plan import greedy
from tinyflash.plan.lifetimes import Storage
from tinyflash.plan.problem import ALIGNMENT, Problem
from tinyflash.plan.search import search

NODES = 4000  # of the search: some tenths of a second


@dataclass(frozen=True)
class Placement:
    """A storage at `offset` bytes."""

    storage: Storage
    offset: int


def place(problem: Problem, nodes: int = NODES) -> tuple[Placement, ...]:
    """The lowest placement that a search of so many nodes finds, the same for the same arguments.

    The search aims at the lower bound with half of its nodes. Where that fails, it halves the range
    of heights that are left, each time with half of the nodes that are left.
    """
    best = min(greedy.placements(problem), key=problem.height)
    low, high = problem.lower_bound.nbytes, problem.height(best)
    aim = low
    while low < high:
        found, _, used = search(problem, aim, nodes // 2)
        nodes -= used
        if found is None:
            low = aim + ALIGNMENT
        else:
            best, high = found, problem.height(found)
        aim = (low + high) // 2 // ALIGNMENT * ALIGNMENT
    return tuple(map(Placement, problem.storages, best))
