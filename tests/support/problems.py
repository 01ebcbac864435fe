"""Random placement problems, and what judges their solutions without any of the solver's code."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.compiler.plan.problem import Overlap, Problem

UNIT = 4  # the alignment


def random_problem(
    seed: int, storages: int, times: int, units: int, longest: int | None = None
) -> Problem:
    """Storages of 1 to `units` units, some of them over one that is used up while they are made."""
    rng = np.random.default_rng([seed, storages, times])
    found = []
    for i in range(storages):
        first = int(rng.integers(times))
        last = min(first + int(rng.integers(longest or times)), times - 1)
        nbytes = UNIT * int(rng.integers(1, units + 1)) - int(rng.integers(UNIT))
        found.append(Storage(f"s{i}", (f"s{i}",), nbytes, first, last))
    return Problem(tuple(found), random_overlaps(rng, found))


def crowd(seed: int, storages: int, units: int) -> Problem:
    """All live at one time, so that the lower bound is exact; most in long chains."""
    rng = np.random.default_rng([seed, storages])
    sizes = [UNIT * int(n) for n in rng.integers(1, units + 1, storages)]
    found = [Storage(f"s{i}", (f"s{i}",), n, i, storages) for i, n in enumerate(sizes)]
    return Problem(tuple(found), random_overlaps(rng, found))


def random_overlaps(rng: np.random.Generator, storages: Sequence[Storage]) -> tuple[Overlap, ...]:
    """Of the pairs of which one begins in the life of the other, about a half of what can be."""
    pairs = [(y, x) for y in storages for x in storages if x.first < y.first <= x.last]
    rng.shuffle(pairs)
    chosen: dict[str, Overlap] = {}
    under: set[str] = set()
    for y, x in pairs[: 1 + len(storages)]:
        if y.name not in chosen and x.name not in under:
            distance = int(rng.integers(y.nbytes + 1))
            chosen[y.name] = Overlap(y.name, x.name, distance)
            under.add(x.name)
    return tuple(chosen.values())


def sliced(seed: int, times: int, units: int, cuts: int) -> Problem:
    """A rectangle of times and bytes cut into storages: a placement without any gap exists."""
    rng = np.random.default_rng([seed, times, units])
    pieces = [(0, times, 0, units)]
    for _ in range(cuts):
        areas = np.array([(t1 - t0) * (b1 - b0) for t0, t1, b0, b1 in pieces], float)
        t0, t1, b0, b1 = pieces.pop(int(rng.choice(len(pieces), p=areas / areas.sum())))
        if t1 - t0 > 1 and (b1 - b0 == 1 or rng.integers(2)):
            cut = int(rng.integers(t0 + 1, t1))
            pieces += [(t0, cut, b0, b1), (cut, t1, b0, b1)]
        elif b1 - b0 > 1:
            cut = int(rng.integers(b0 + 1, b1))
            pieces += [(t0, t1, b0, cut), (t0, t1, cut, b1)]
        else:
            pieces.append((t0, t1, b0, b1))
    rng.shuffle(pieces)
    return Problem(
        tuple(
            Storage(f"s{i}", (f"s{i}",), UNIT * (b1 - b0), t0, t1 - 1)
            for i, (t0, t1, b0, b1) in enumerate(pieces)
        )
    )


def _clash(problem: Problem, offsets: Sequence[int], i: int, j: int) -> bool:
    """Whether two storages lie where they must not."""
    a, b = problem.storages[i], problem.storages[j]
    if a.first > b.last or b.first > a.last:
        return False
    if offsets[i] + a.nbytes <= offsets[j] or offsets[j] + b.nbytes <= offsets[i]:
        return False
    at = {a.name: offsets[i], b.name: offsets[j]}
    return not any(
        {o.over, o.under} == {a.name, b.name} and at[o.over] + o.distance <= at[o.under]
        for o in problem.overlaps
    )


def is_placement(problem: Problem, offsets: Sequence[int]) -> bool:
    """Whether each storage has an offset, and none clashes with another."""
    return (
        len(offsets) == len(problem.storages)
        and all(offset >= 0 and offset % UNIT == 0 for offset in offsets)
        and not any(_clash(problem, offsets, *ij) for ij in combinations(range(len(offsets)), 2))
    )


def least_height(problem: Problem) -> int:
    """The least height of any placement, by trying every offset of every storage."""
    rows = range(len(problem.storages))
    lowest = [[_lowest_above(problem, i, j) for j in rows] for i in rows]
    height = 1
    while not _fits([-(-s.nbytes // UNIT) for s in problem.storages], lowest, height, ()):
        height += 1
    return height * UNIT


def _lowest_above(problem: Problem, i: int, j: int) -> int:
    """How many units above the beginning of storage i storage j can begin, if it is above."""
    a, b = problem.storages[i], problem.storages[j]
    if a.first > b.last or b.first > a.last:
        return -1000
    nbytes = next(
        (o.distance for o in problem.overlaps if (o.over, o.under) == (a.name, b.name)), a.nbytes
    )
    return -(-nbytes // UNIT)


def _fits(sizes: list[int], lowest: list[list[int]], height: int, offsets: tuple[int, ...]) -> bool:
    """Whether the storages behind those that have offsets can be placed as well."""
    i = len(offsets)
    if i == len(sizes):
        return True
    for at in range(height - sizes[i] + 1):
        clear = all(o + lowest[j][i] <= at or at + lowest[i][j] <= o for j, o in enumerate(offsets))
        if clear and _fits(sizes, lowest, height, (*offsets, at)):
            return True
    return False
