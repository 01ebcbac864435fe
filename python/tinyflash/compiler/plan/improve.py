"""Improves a placement by small changes of the order in which storages are placed."""

from __future__ import annotations

from random import Random

from tinyflash.compiler.plan.greedy import first_fit
from tinyflash.compiler.plan.problem import Problem

# Share of the changes that move a storage at the top; the others swap any two.
_TARGETED = 0.7


def improve(problem: Problem, order: list[int], bound: int, tries: int) -> tuple[int, ...]:
    """Returns the lowest placement found with `tries` changes of an order, and as many that put a
    storage before a rival. Keeps each change unless the placement gets higher. Deterministic."""
    random = Random(0)
    offsets = first_fit(problem, order)
    height = problem.height(offsets)
    for number in range(2 * tries):
        if height <= bound:
            break
        change = _changed if number < tries else _before_rival
        changed = change(problem, order, offsets, random)
        found = first_fit(problem, changed)
        if problem.height(found) <= height:
            order, offsets, height = changed, found, problem.height(found)
    return offsets


def _changed(
    problem: Problem, order: list[int], offsets: tuple[int, ...], random: Random
) -> list[int]:
    order = list(order)
    if random.random() < _TARGETED:
        position = order.index(random.choice(_highest(problem, offsets)))
        order.insert(random.randrange(position + 1), order.pop(position))
    else:
        a, b = random.randrange(len(order)), random.randrange(len(order))
        order[a], order[b] = order[b], order[a]
    return order


def _before_rival(
    problem: Problem, order: list[int], offsets: tuple[int, ...], random: Random
) -> list[int]:
    """Moves a storage, most often one at the top, before one that is live at a common time: others
    are not in its way."""
    order = list(order)
    top = random.random() < _TARGETED
    chosen = random.choice(_highest(problem, offsets)) if top else random.randrange(len(order))
    position, rivals = order.index(chosen), set(problem.rivals[chosen].tolist())
    earlier = [i for i in range(position) if order[i] in rivals]
    if earlier:
        order.insert(random.choice(earlier), order.pop(position))
    return order


def _highest(problem: Problem, offsets: tuple[int, ...]) -> list[int]:
    """Returns the storages that end at the top."""
    ends = [o + size for o, size in zip(offsets, problem.sizes, strict=True)]
    top = max(ends)
    return [i for i, end in enumerate(ends) if end == top]
