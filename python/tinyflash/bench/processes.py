"""Runs of a benchmark, side by side. Each gives the same wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")


def each(
    work: Callable[[Task], Done],
    todo: Sequence[Task],
    processes: int,
    listen: Callable[[int, Done], None],
) -> tuple[Done, ...]:
    """Returns work(task) of each task, in order. Calls `listen` with the number of results so far
    and the newest one. work: a function of a module, which other processes can import."""
    results: list[Done] = []
    with ProcessPoolExecutor(processes) as pool:
        for result in pool.map(work, todo):
            results.append(result)
            listen(len(results), result)
    return tuple(results)
