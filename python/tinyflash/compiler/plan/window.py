"""Proves a lower bound of the arena from several calls together: a window of time.

Time counts calls. The best placements at two times may contradict each other: a map at the bottom
of the arena cannot move to its top. So the storages of a short window of time are placed alone, by
a search that finishes. All storages together need at least as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinyflash.compiler.plan.problem import Problem
from tinyflash.compiler.plan.search import search
from tinyflash.graph import ALIGNMENT

WIDTHS = (2, 3, 5, 8)  # length of a window, in times when storages begin
NODES = 400  # of each search: windows that need more are given up


def proven_bound(problem: Problem, offsets: Sequence[int]) -> int:
    """Returns the highest lower bound found. offsets: a placement, which shows that most windows do
    not raise the bound."""
    bound, height = problem.lower_bound.nbytes, problem.height(offsets)
    tops = np.array(offsets) + np.array(problem.sizes)
    starts = np.array([s.first for s in problem.storages])
    ends = np.array([s.last for s in problem.storages])
    for first, last in _windows(problem):
        live = (starts <= last) & (ends >= first)
        if tops[live].max() > bound:
            bound = _raised(problem.part(live.tolist()), bound, height)
    return bound


def _windows(problem: Problem) -> Iterator[tuple[int, int]]:
    times = sorted(problem.needed)
    for width in WIDTHS:
        for start in range(max(len(times) - width + 1, 1)):
            yield times[start], times[min(start + width, len(times)) - 1]


def _raised(window: Problem, bound: int, height: int) -> int:
    """Returns the least height from `bound` to `height` that the window does not rule out."""
    aim = bound
    while bound < height:
        answer = search(window, aim, NODES)
        if answer.ended and answer.offsets is None:
            bound = aim + ALIGNMENT
        else:
            height = aim
        aim = (bound + height) // 2 // ALIGNMENT * ALIGNMENT
    return bound
