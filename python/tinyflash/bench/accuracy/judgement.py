"""Evaluates the table: paired differences with their uncertainty, and whether the claims hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.bench.accuracy.cell import Cell

DRAWS = 10_000
MEAN_SLACK = 0.5  # points that int8 may be behind float on the mean of all tasks
PAIR_SLACK = 2.0  # points on one task, unless the interval includes chance
TWINS = (
    ("int8-full", "float-full"),
    ("int8-sparse", "float-sparse"),
    ("head", "float-head"),
)
PARTIAL = ("last", "biases", "head")

Cells = Mapping[tuple[str, str], Cell]  # by names of task and method


@dataclass(frozen=True)
class Difference:
    """The accuracy of `ours` minus that of `other`, in points, with a 95 % interval.

    A paired bootstrap with two levels: seeds, whose networks differ in order and rounding, and the
    test samples of each seed.
    """

    task: str
    ours: str
    other: str
    points: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether it is not behind by more than the slack, or not behind beyond chance."""
        return self.points >= -PAIR_SLACK or self.high >= 0


@dataclass(frozen=True)
class Claim:
    """A sentence about a comparison, and whether it holds."""

    text: str
    holds: bool


def difference(ours: Cell, other: Cell) -> Difference:
    """Returns the difference of two cells with the same test samples."""
    seeds = [
        np.frombuffer(a.encode(), np.int8) - np.frombuffer(b.encode(), np.int8)
        for a, b in zip(ours.correct, other.correct, strict=True)
    ]
    mean = 100.0 * float(np.mean([steps.mean() for steps in seeds]))
    low, high = np.percentile(_bootstrap(seeds), [2.5, 97.5])
    return Difference(ours.task, ours.method, other.method, mean, float(low), float(high))


def _bootstrap(seeds: Sequence[npt.NDArray[np.int8]]) -> npt.NDArray[np.float64]:
    """Returns DRAWS means, in points: each draws as many seeds from `seeds`, and as many samples
    from each. A sample is 1 if only ours is correct, -1 if only the other is, otherwise 0."""
    random = np.random.default_rng(0)
    chosen = random.integers(len(seeds), size=(DRAWS, len(seeds)))
    points = np.zeros(chosen.shape)
    for index, steps in enumerate(seeds):
        shares = [float(np.mean(steps == value)) for value in (-1, 0, 1)]
        counts = random.multinomial(len(steps), shares, chosen.shape)
        means = 100.0 * (counts[..., 2] - counts[..., 0]) / len(steps)
        points = np.where(chosen == index, means, points)
    return np.asarray(points.mean(axis=1))


def differences(cells: Cells, tasks: Sequence[str]) -> list[Difference]:
    """Returns int8 against float for each task where both have run."""
    return [
        difference(cells[task, ours], cells[task, other])
        for ours, other in TWINS
        for task in tasks
        if (task, ours) in cells and (task, other) in cells
    ]


def mean(cells: Cells, tasks: Sequence[str], method: str) -> float:
    """Returns the mean over tasks, in percent."""
    return float(np.mean([cells[task, method].mean for task in tasks]))


def claims(cells: Cells, tasks: Sequence[str]) -> list[Claim]:
    """Returns the claims whose methods have run on all tasks."""
    found = differences(cells, tasks)
    result = [c for twins in TWINS for c in _against_float(found, *twins)]
    methods = {method for _, method in cells}
    if "int8-sparse" in methods:
        result += [_above(cells, tasks, other) for other in PARTIAL if other in methods]
    return result


def _against_float(found: Sequence[Difference], ours: str, other: str) -> list[Claim]:
    found = [d for d in found if (d.ours, d.other) == (ours, other)]
    if not found:
        return []
    points = float(np.mean([d.points for d in found]))
    behind = [d for d in found if not d.holds]
    names = ", ".join(f"{d.task} ({d.points:+.1f})" for d in behind)
    return [
        Claim(
            f"{ours} is {points:+.2f} points from {other} on the mean of {len(found)} tasks "
            f"(at least {-MEAN_SLACK} wanted)",
            points >= -MEAN_SLACK,
        ),
        Claim(
            f"{ours} against {other}, task by task: "
            + (
                f"behind beyond {PAIR_SLACK:.0f} points and beyond chance on {names}"
                if behind
                else f"never behind by more than {PAIR_SLACK:.0f} points, or within chance"
            ),
            not behind,
        ),
    ]


def _above(cells: Cells, tasks: Sequence[str], other: str) -> Claim:
    ours, theirs = mean(cells, tasks, "int8-sparse"), mean(cells, tasks, other)
    more = [
        task for task in tasks if _total(cells[task, other]) > _total(cells[task, "int8-sparse"])
    ]
    memory = f"; it takes more SRAM than int8-sparse on {', '.join(more)}" if more else ""
    return Claim(
        f"int8-sparse has {ours:.1f} % on the mean, {other} {theirs:.1f} %{memory}", ours > theirs
    )


def _total(cell: Cell) -> int:
    assert cell.memory is not None
    return cell.memory.total
