"""Stage 2: successive halving with an evolutionary step, in one space of each kind of blocks. No
supernet is needed: networks as small as these are trained from the start in seconds.

A population is drawn and trained a little. The best of it get children, neighbours in their
spaces, which are trained as long. The best of all go on to a round of thrice the samples, and so
on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyflash.errors import BoardError
from tinyflash.search.designs.cost import Cost, Limits
from tinyflash.search.designs.design import Design, Space, mutated
from tinyflash.search.designs.effort import ROUNDS, Halving
from tinyflash.search.designs.jobs import Fields, Job, Pool, Results, computed, key_of
from tinyflash.search.designs.layers import Family
from tinyflash.search.designs.stage1 import Input, Planner
from tinyflash.search.designs.task import Task, load_task
from tinyflash.search.designs.trial import Score, trial

_TRIES = 40  # groups of networks that are planned to find some that fit
_GROUP = 8


class Samples(Protocol):
    """Where a worker finds the samples. Loads them once."""

    @property
    def name(self) -> str: ...

    def load(self) -> Task: ...


@dataclass(frozen=True)
class Source:
    """Samples of a user."""

    data: Path
    family: Family | None
    window: int | None
    seed: int

    @property
    def name(self) -> str:
        return self.data.name

    def load(self) -> Task:
        return _loaded(self)


@lru_cache(maxsize=2)
def _loaded(source: Source) -> Task:
    return load_task(source.data, source.family, source.window, source.seed)


@dataclass(frozen=True)
class Tried:
    """A network, what it costs, and what it scored after a training with so many samples."""

    design: Design
    cost: Cost
    samples: int
    score: Score

    @property
    def rank(self) -> tuple[float, float, str]:
        """Larger is better. Networks of equal scores have some order, too."""
        return (*self.score.rank, self.design.key)


@dataclass(frozen=True)
class Trainer:
    """Trains networks in workers, and keeps their scores. until: when to begin no more."""

    source: Samples
    digest: str  # of the samples
    seed: int
    results: Results
    pool: Pool
    tick: Callable[[str], None] = lambda _: None
    until: float | None = None

    def scores(self, designs: Iterable[Design], samples: int) -> dict[Design, Score]:
        """Returns the scores of what was trained in time."""
        by_key = {key_of("trial", self.digest, d.key, samples, self.seed): d for d in designs}
        given = (samples, self.seed)
        jobs = {key: Job(tried, (d, self.source, *given)) for key, d in by_key.items()}
        found = computed(jobs, self.results, self.pool, self.tick, self.until)
        return {by_key[key]: Score.from_json(found[key]) for key in by_key if key in found}


def tried(design: Design, source: Samples, samples: int, seed: int) -> Fields:
    """A job: the score of a network after a training."""
    return asdict(trial(design, source.load(), samples, seed))


def drawn(
    given: Input,
    spaces: Sequence[Space],
    limits: Limits,
    planner: Planner,
    count: int,
    random: np.random.Generator,
) -> dict[Design, Cost]:
    """Draws `count` networks that fit, as many of each space; fewer if they are rare."""
    found: dict[Design, Cost] = {}
    for number, space in enumerate(spaces):
        mine = count * (number + 1) // len(spaces) - count * number // len(spaces)
        found |= _fitting(partial(given.draw, space, random), limits, planner, mine, known=())
    return found


def children(
    parents: Sequence[Design],
    limits: Limits,
    planner: Planner,
    count: int,
    random: np.random.Generator,
    known: Iterable[Design],
) -> dict[Design, Cost]:
    """Returns `count` neighbours of the parents that fit and are not known; fewer if they are
    rare."""

    def child() -> Design:
        return mutated(parents[int(random.integers(len(parents)))], random)

    return _fitting(child, limits, planner, count, known)


def _fitting(
    draw: Callable[[], Design],
    limits: Limits,
    planner: Planner,
    count: int,
    known: Iterable[Design],
) -> dict[Design, Cost]:
    """Draws in groups, which workers plan together. How many there are depends on no computer."""
    found: dict[Design, Cost] = {}
    seen = set(known)
    for _ in range(_TRIES):
        group = list(dict.fromkeys(draw() for _ in range(_GROUP)))
        new = [design for design in group if design not in seen]
        seen.update(new)
        for design, cost in zip(new, planner.costs(new), strict=True):
            if limits.allow(cost):
                found[design] = cost
        if len(found) >= count:
            break
    return dict(list(found.items())[:count])


def halved(
    first: dict[Design, Cost],
    limits: Limits,
    planner: Planner,
    trainer: Trainer,
    plan: Halving,
    random: np.random.Generator,
) -> tuple[list[Tried], bool]:
    """Returns everything that was tried, the best of the last round first, and whether something
    was not tried in time. Raises BoardError if nothing was."""
    costs = dict(first)
    last = _round(costs, costs, trainer, plan.samples_in(0))
    everything, asked = list(last), len(costs)
    parents = [one.design for one in _best(last, max(2, plan.population // 4))]
    if parents:
        new = children(parents, limits, planner, plan.children, random, costs)
        costs |= new
        grown = _round(new, costs, trainer, plan.samples_in(0))
        everything += grown
        asked += len(new)
        last = last + grown
    for number in range(1, ROUNDS):
        going = [one.design for one in _best(last, plan.survivors(number))]
        following = _round(going, costs, trainer, plan.samples_in(number))
        everything += following
        asked += len(going)
        if not following:
            break
        last = following
    if not everything:
        raise BoardError("design: no network was trained in time; raise --minutes")
    ranked = sorted(everything, key=lambda one: (one.samples, *one.rank), reverse=True)
    return ranked, len(everything) < asked


def _round(
    designs: Iterable[Design], costs: dict[Design, Cost], trainer: Trainer, samples: int
) -> list[Tried]:
    scores = trainer.scores(designs, samples)
    return [Tried(design, costs[design], samples, score) for design, score in scores.items()]


def _best(tried_: Sequence[Tried], count: int) -> list[Tried]:
    return sorted(tried_, key=lambda one: one.rank, reverse=True)[:count]
