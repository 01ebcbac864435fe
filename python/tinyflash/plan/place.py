"""Gives each storage an offset in the arena: the best greedy placement, improved by a search where
it misses the lower bound."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.plan import greedy
from tinyflash.plan.lifetimes import Storage
from tinyflash.plan.problem import ALIGNMENT, Problem
from tinyflash.plan.search import search
from tinyflash.plan.window import proven_bound

NODES = 4000  # of the search: some tenths of a second


@dataclass(frozen=True)
class Placement:
    """A storage at `offset` bytes."""

    storage: Storage
    offset: int


@dataclass(frozen=True)
class Placed:
    """Where all storages lie; bytes that no placement of them can undercut."""

    placements: tuple[Placement, ...]
    lower_bound: int


def place(problem: Problem, nodes: int = NODES) -> Placed:
    """The lowest placement that a search of so many nodes finds, the same for the same arguments.

    Where no greedy placement meets the lower bound, the search aims at it. Where that fails, the
    bound is looked at more closely, and the range of heights that are left is halved again and
    again. Each attempt takes half of the nodes that are left.
    """
    best = min(greedy.placements(problem), key=problem.height)
    bound, high = problem.lower_bound.nbytes, problem.height(best)
    if bound < high:
        found, _, used = search(problem, bound, nodes // 2)
        if found is not None:
            best = found
        else:
            bound = proven_bound(problem, best)
            best, bound = _halved(problem, best, bound, nodes - used)
    return Placed(tuple(map(Placement, problem.storages, best)), bound)


def _halved(
    problem: Problem, best: tuple[int, ...], bound: int, nodes: int
) -> tuple[tuple[int, ...], int]:
    """A lower placement than `best`, if one is found, and the highest bound that is proved."""
    low, high = bound, problem.height(best)
    aim = low
    while low < high:
        found, ended, used = search(problem, aim, nodes // 2)
        nodes -= used
        if found is not None:
            best, high = found, problem.height(found)
        else:
            low = aim + ALIGNMENT
            bound = low if ended else bound
        aim = (low + high) // 2 // ALIGNMENT * ALIGNMENT
    return best, bound
