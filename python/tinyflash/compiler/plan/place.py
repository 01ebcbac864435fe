"""Gives each storage an offset in the arena: the best greedy placement, improved by a search where
it misses the lower bound."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.compiler.plan.greedy import first_fit, orders
from tinyflash.compiler.plan.improve import improve
from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.compiler.plan.problem import Problem
from tinyflash.compiler.plan.search import search
from tinyflash.compiler.plan.window import proven_bound
from tinyflash.graph import ALIGNMENT


@dataclass(frozen=True)
class Effort:
    """How long to look for a low placement. nodes: of the search; tries: changes of an order.

    By count, not by time, so that the same model has the same plan everywhere.
    """

    nodes: int
    tries: int


NONE = Effort(0, 0)  # where a lower bound is all that is asked for
QUICK = Effort(4000, 60)  # some tenths of a second
EXACT = Effort(40000, 1500)  # up to half a minute


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


def place(problem: Problem, effort: Effort = QUICK) -> Placed:
    """The lowest placement that is found, the same for the same arguments.

    Where no greedy placement meets the lower bound, the search aims at it. Where that fails, the
    bound is looked at more closely, the best order is changed here and there, and the range of
    heights that are left is halved again and again. Each attempt takes half of the nodes that are
    left.
    """
    bound = problem.lower_bound.nbytes
    order, best = _greedy(problem, bound)
    if bound < problem.height(best):
        found, _, used = search(problem, bound, effort.nodes // 2)
        if found is not None:
            best = found
        else:
            bound = proven_bound(problem, best)
            best = improve(problem, order, bound, effort.tries)
            best, bound = _halved(problem, best, bound, effort.nodes - used)
    return Placed(tuple(map(Placement, problem.storages, best)), bound)


def _greedy(problem: Problem, bound: int) -> tuple[list[int], tuple[int, ...]]:
    """The first order with the lowest placement, and this placement."""
    found: list[tuple[list[int], tuple[int, ...]]] = []
    for order in orders(problem):
        found.append((order, first_fit(problem, order)))
        if problem.height(found[-1][1]) <= bound:
            break
    return min(found, key=lambda f: problem.height(f[1]))


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
