"""Gives each storage an offset in the arena: the best greedy placement, improved by a search if it
misses the lower bound."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import partial

from tinyflash.compiler.plan.greedy import first_fit, orders
from tinyflash.compiler.plan.improve import improve
from tinyflash.compiler.plan.kept import kept
from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.compiler.plan.lower import lowered
from tinyflash.compiler.plan.problem import Problem
from tinyflash.compiler.plan.search import search
from tinyflash.compiler.plan.window import proven_bound
from tinyflash.graph import ALIGNMENT


@dataclass(frozen=True)
class Effort:
    """How long to search for a low placement. nodes: search nodes; tries: changes of an order;
    looks: at rivals, while thousands of changes are tried.

    Limits are counts, not times, so that the same model has the same plan everywhere.
    """

    nodes: int
    tries: int
    looks: int


NONE = Effort(0, 0, 0)  # if only a lower bound is needed
QUICK = Effort(4000, 60, 6_000_000)  # a few seconds where a plan misses its lower bound
EXACT = Effort(40000, 1500, 60_000_000)  # up to a minute


@dataclass(frozen=True)
class Placement:
    """A storage at `offset` bytes."""

    storage: Storage
    offset: int


@dataclass(frozen=True)
class Placed:
    """The offsets of all storages, and a lower bound, in bytes, of every placement."""

    placements: tuple[Placement, ...]
    lower_bound: int


def place(problem: Problem, effort: Effort = QUICK) -> Placed:
    """Returns the lowest placement found. Deterministic.

    If no greedy placement meets the lower bound, the search aims at it. If the search fails, the
    function tightens the bound, tries small changes of the best order, and halves the remaining
    range of heights repeatedly. Each attempt takes half of the remaining nodes. What it has found
    is lowered by many more changes. What a search finds is kept for later runs.
    """
    bound = problem.lower_bound.nbytes
    order, best = _greedy(problem, bound)
    if bound < problem.height(best):
        first = partial(_searched, problem, order, best, effort)
        best, bound = kept(problem, astuple(effort), first) if effort.nodes else first()
    return Placed(tuple(map(Placement, problem.storages, best)), bound)


def _searched(
    problem: Problem, order: list[int], best: tuple[int, ...], effort: Effort
) -> tuple[tuple[int, ...], int]:
    """Returns a placement that is no higher than `best`, which is that of `order`, and the bound
    that is proven."""
    bound = problem.lower_bound.nbytes
    found, _, used = search(problem, bound, effort.nodes // 2)
    if found is not None:
        return found, bound
    bound = proven_bound(problem, best)
    best = improve(problem, order, bound, effort.tries)
    best, bound = _halved(problem, best, bound, effort.nodes - used)
    return lowered(problem, order, best, bound, effort.looks), bound


def _greedy(problem: Problem, bound: int) -> tuple[list[int], tuple[int, ...]]:
    """Returns the first order with the lowest placement, and this placement."""
    found: list[tuple[list[int], tuple[int, ...]]] = []
    for order in orders(problem):
        found.append((order, first_fit(problem, order)))
        if problem.height(found[-1][1]) <= bound:
            break
    return min(found, key=lambda f: problem.height(f[1]))


def _halved(
    problem: Problem, best: tuple[int, ...], bound: int, nodes: int
) -> tuple[tuple[int, ...], int]:
    """Returns a lower placement than `best`, if it finds one, and the highest proven bound."""
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
