"""Placement: search against trying everything, and what it reaches on larger problems."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.support.problems import (
    UNIT,
    crowd,
    is_placement,
    least_height,
    random_problem,
    sliced,
)

from tinyflash.compiler.plan.greedy import first_fit, orders
from tinyflash.compiler.plan.improve import improve
from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.compiler.plan.lower import lowered
from tinyflash.compiler.plan.place import Placed, place
from tinyflash.compiler.plan.problem import Overlap, Problem
from tinyflash.compiler.plan.search import search
from tinyflash.errors import InternalError

PLENTY = 1_000_000  # nodes: more than any search here needs


def height_of(problem: Problem) -> int:
    """The height that place reaches with a placement that is one."""
    placed = place(problem)
    offsets = [placement.offset for placement in placed.placements]
    assert is_placement(problem, offsets)
    assert problem.lower_bound.nbytes <= placed.lower_bound <= problem.height(offsets)
    return problem.height(offsets)


def test_search_finds_the_least_height_and_proves_it() -> None:
    """On problems so small that every offset of every storage can be tried."""
    above_bound = 0
    for seed in range(250):
        problem = random_problem(seed, storages=4 + seed % 4, times=6, units=3)
        least = least_height(problem)
        found = search(problem, least, PLENTY)
        assert found.offsets is not None and is_placement(problem, found.offsets)
        assert problem.height(found.offsets) == least
        below = search(problem, least - UNIT, PLENTY)
        assert below.ended and below.offsets is None
        assert problem.lower_bound.nbytes <= least
        assert height_of(problem) == least == place(problem).lower_bound
        above_bound += problem.lower_bound.nbytes < least
    assert above_bound > 0  # there are problems whose bound nothing reaches


def test_the_bound_is_exact_where_all_are_live_at_once() -> None:
    for seed in range(100):
        problem = crowd(seed, storages=2 + seed % 4, units=4)
        assert problem.lower_bound.nbytes == least_height(problem), seed


def test_greedy_placements_are_placements() -> None:
    for seed in range(20):
        problem = random_problem(seed, storages=60, times=50, units=40, longest=20)
        bound = problem.lower_bound.nbytes
        for order in orders(problem):
            offsets = first_fit(problem, order)
            assert is_placement(problem, offsets)
            assert problem.height(offsets) >= bound
            changed = improve(problem, order, bound, 20)
            assert is_placement(problem, changed)
            assert problem.height(changed) <= problem.height(offsets)


def test_many_changes_lower_a_placement_and_never_raise_it() -> None:
    """From the worst greedy order; the best one starts the second half of the tries."""
    lower = 0
    for seed in range(20):
        problem = random_problem(seed, storages=30, times=20, units=40, longest=12)
        bound = problem.lower_bound.nbytes
        ranked = sorted(orders(problem), key=lambda o: problem.height(first_fit(problem, o)))
        start = first_fit(problem, ranked[-1])
        found = lowered(problem, ranked[0], start, bound, 30_000)
        assert is_placement(problem, found)
        assert found == lowered(problem, ranked[0], start, bound, 30_000)
        best = problem.height(first_fit(problem, ranked[0]))
        assert bound <= problem.height(found) <= min(best, problem.height(start))
        lower += problem.height(found) < best
    assert lower >= 5


def test_large_problems_meet_their_bound() -> None:
    excess = []
    for seed in range(20):
        mixed = random_problem(seed, storages=120, times=300, units=200, longest=40)
        problem = Problem(mixed.storages)
        excess.append(height_of(problem) / problem.lower_bound.nbytes)
    assert excess.count(1.0) >= 19
    assert max(excess) <= 1.03


def chain(times: int, seed: int) -> Problem:
    """Maps of a network, each made of the one before and over it where that dies."""
    rng = np.random.default_rng(seed)
    maps = [
        storage(f"m{i}", UNIT * int(rng.integers(4, 40)), i, i + 1 + 3 * (rng.random() < 0.2))
        for i in range(times)
    ]
    overlaps = [
        Overlap(y.name, x.name, min(y.nbytes, 4 * UNIT))
        for x, y in pairwise(maps)
        if x.last == y.first
    ]
    return Problem(tuple(maps), tuple(overlaps))


def test_chains_of_maps_meet_the_bound_that_windows_of_time_prove() -> None:
    met = raised = 0
    for seed in range(30):
        problem = chain(20, seed)
        bound = place(problem).lower_bound
        met += height_of(problem) == bound
        raised += bound > problem.lower_bound.nbytes
    assert met >= 29
    assert raised > 3  # what single times need is not enough


def test_storages_without_a_gap_between_them_are_found() -> None:
    for seed in range(10):
        problem = sliced(seed, times=30, units=30, cuts=20)
        assert height_of(problem) == problem.lower_bound.nbytes == 30 * UNIT


def test_the_same_problem_has_the_same_placement() -> None:
    problem = random_problem(5, storages=20, times=20, units=30)
    assert place(problem) == place(Problem(problem.storages, problem.overlaps))


def test_a_search_that_is_cut_short_says_so() -> None:
    problem = random_problem(1, storages=40, times=40, units=30)
    answer = search(problem, problem.lower_bound.nbytes, 3)
    assert answer.offsets is None and not answer.ended and answer.nodes == 3


def test_nothing_to_place_takes_nothing() -> None:
    assert place(Problem(())) == Placed((), 0)


def storage(name: str, nbytes: int, first: int, last: int) -> Storage:
    return Storage(name, (name,), nbytes, first, last)


def test_a_pair_shares_what_its_distance_leaves() -> None:
    x, y = storage("x", 100, -1, 1), storage("y", 80, 1, 2)
    assert height_of(Problem((x, y), (Overlap("y", "x", 30),))) == 132  # 30 is aligned to 32
    assert height_of(Problem((x, y), (Overlap("y", "x", 0),))) == 100
    assert height_of(Problem((x, y))) == 180


@pytest.mark.parametrize(
    "overlaps",
    [
        (Overlap("y", "x", 81),),  # more than y
        (Overlap("y", "x", -4),),
        (Overlap("x", "y", 4),),  # x is there first
        (Overlap("z", "x", 4),),  # not live together
        (Overlap("y", "x", 4), Overlap("y", "w", 4)),
        (Overlap("y", "x", 4), Overlap("w", "x", 4)),
    ],
)
def test_what_is_no_overlap_is_refused(overlaps: tuple[Overlap, ...]) -> None:
    storages = storage("x", 100, 0, 2), storage("y", 80, 1, 3), storage("z", 80, 3, 4)
    with pytest.raises(InternalError, match="plan: "):
        Problem((*storages, storage("w", 80, 1, 3)), overlaps)
