"""Improves a placement by small changes of the order in which storages are placed."""

from __future__ import annotations

from random import Random

from tinyflash.compiler.plan.greedy import first_fit
from tinyflash.compiler.plan.problem import Problem

# Share of the changes that move a storage at the top; the others swap any two.
_TARGETED = 0.7


def improve(problem: Problem, order: list[int], bound: int, tries: int) -> tuple[int, ...]:
    """Returns the lowest placement found with `tries` changes of an order. Keeps each change unless
    the placement gets higher. Deterministic."""
    random = Random(0)
    offsets = first_fit(problem, order)
    height = problem.height(offsets)
    for _ in range(tries):
        if height <= bound:
            break
        changed = _changed(problem, order, offsets, random)
        found = first_fit(problem, changed)
        if problem.height(found) <= height:
            order, offsets, height = changed, found, problem.height(found)
    return offsets


def _changed(
    problem: Problem, order: list[int], offsets: tuple[int, ...], random: Random
) -> list[int]:
    order = list(order)
    if random.random() < _TARGETED:
        ends = [o + size for o, size in zip(offsets, problem.sizes, strict=True)]
        top = max(ends)
        position = order.index(random.choice([i for i, end in enumerate(ends) if end == top]))
        order.insert(random.randrange(position + 1), order.pop(position))
    else:
        a, b = random.randrange(len(order)), random.randrange(len(order))
        order[a], order[b] = order[b], order[a]
    return order
