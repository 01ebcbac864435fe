"""Stage 1 of TinyNAS (Lin et al. 2020): which width and resolution suit a board.

Networks are drawn from every space, and the planner plans each of them with its training. Of the
spaces of which enough networks fit, the one whose fitting networks have the largest mean of
multiply-adds is taken: on a given board, more computation predicts more accuracy. It does so among
networks of one kind, so each kind of blocks has its space; trainings compare the kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tinyflash.boards import Board
from tinyflash.errors import BoardError
from tinyflash.search.designs.cost import Cost, Limits, cost_of
from tinyflash.search.designs.design import KINDS, Design, Kind, Space, draw
from tinyflash.search.designs.jobs import Fields, Job, Pool, Results, computed, key_of
from tinyflash.search.designs.layers import Family, Map

_ENOUGH = 0.25  # of the drawn networks must fit


@dataclass(frozen=True)
class Input:
    """What every network of a search reads and tells apart."""

    family: Family
    shape: Map
    classes: int

    def draw(self, space: Space, random: np.random.Generator) -> Design:
        return draw(self.family, self.shape, self.classes, space, random)


@dataclass(frozen=True)
class Surveyed:
    """A space: the drawn networks, what they cost, and which of them fit."""

    space: Space
    designs: tuple[Design, ...]
    costs: tuple[Cost, ...]
    fits: tuple[bool, ...]

    @property
    def macs(self) -> float:
        """The mean multiply-adds of what fits; 0 of nothing."""
        fitting = [cost.macs for cost, fit in zip(self.costs, self.fits, strict=True) if fit]
        return float(np.mean(fitting)) if fitting else 0.0

    @property
    def is_enough(self) -> bool:
        return sum(self.fits) >= max(1, _ENOUGH * len(self.fits))


@dataclass(frozen=True)
class Planner:
    """Plans networks for a board in workers, and keeps what they cost."""

    board: Board
    results: Results
    pool: Pool
    tick: Callable[[str], None] = lambda _: None

    def costs(self, designs: Sequence[Design]) -> tuple[Cost, ...]:
        """Returns what each network costs."""
        keys = [key_of("cost", self.board, design.key) for design in designs]
        jobs = {
            key: Job(costed, (design, self.board))
            for key, design in zip(keys, designs, strict=True)
        }
        found = computed(jobs, self.results, self.pool, self.tick)
        return tuple(Cost.from_json(found[key]) for key in keys)


def costed(design: Design, board: Board) -> Fields:
    """A job: what a network costs."""
    return asdict(cost_of(design, board))


def survey(
    given: Input,
    every: Sequence[Space],
    limits: Limits,
    planner: Planner,
    draws: int,
    seed: int,
) -> tuple[Surveyed, ...]:
    """Draws and plans networks of some spaces."""
    drawn = [_drawn(given, space, draws, (seed, number)) for number, space in enumerate(every)]
    flat = [design for group in drawn for design in group]
    costs = planner.costs(flat)
    found = []
    for number, space in enumerate(every):
        mine = costs[number * draws : (number + 1) * draws]
        found.append(
            Surveyed(space, drawn[number], mine, tuple(limits.allow(cost) for cost in mine))
        )
    return tuple(found)


def _drawn(given: Input, space: Space, draws: int, seed: tuple[int, int]) -> tuple[Design, ...]:
    random = np.random.default_rng(seed)
    return tuple(given.draw(space, random) for _ in range(draws))


def chosen(surveyed: Sequence[Surveyed], limits: Limits) -> tuple[Surveyed, ...]:
    """Returns the spaces to search in, one of each kind of which enough fits. Raises BoardError if
    no network fits in any."""
    enough = [one for one in surveyed if one.is_enough] or [one for one in surveyed if one.macs]
    if not enough:
        raise BoardError(_too_small(surveyed, limits))
    best: dict[Kind, Surveyed] = {}
    for one in sorted(enough, key=lambda one: one.macs):
        best[one.space.kind] = one
    return tuple(best[kind] for kind in KINDS if kind in best)


def _too_small(surveyed: Sequence[Surveyed], limits: Limits) -> str:
    """Returns which limit nothing meets, and what the smallest network takes of it."""
    costs = [cost for one in surveyed for cost in one.costs]
    sound = [cost for cost in costs if not cost.problem]
    if not sound:
        return f"design: no drawn network can be compiled: {costs[0].problem}"
    sram, flash = min(c.sram for c in sound), min(limits.flash_of(c) for c in sound)
    if sram > limits.sram:
        return (
            f"design: the smallest drawn network takes {sram:,} bytes of SRAM with its training; "
            f"--train-budget is {limits.sram:,}; raise it, or give smaller samples"
        )
    if flash > limits.flash:
        return (
            f"design: the smallest drawn network takes {flash:,} bytes of flash; the limit is "
            f"{limits.flash:,}; raise it, or take a larger board"
        )
    steps = [cost.step for cost in sound if cost.step is not None]
    if not steps:
        return "design: the instructions of this board's core are not counted; drop --instructions"
    return (
        f"design: no drawn network fits SRAM, flash and instructions together; the smallest step "
        f"takes {min(steps):,} instructions; raise --instructions, or another limit"
    )
