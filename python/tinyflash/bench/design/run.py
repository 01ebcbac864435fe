"""Runs the comparison: networks by design, by random search in equal time, and of the zoo; and how
well the mean multiply-adds of a space foretell its best accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tinyflash.bench.design.tasks import ZooSamples, zoo_network
from tinyflash.boards import Board
from tinyflash.errors import BoardError
from tinyflash.search.designs.cost import Cost, Limits, cost_of
from tinyflash.search.designs.design import Design, Kind, spaces
from tinyflash.search.designs.effort import FACTOR, Effort, full_samples
from tinyflash.search.designs.finish import accuracy, in_int8
from tinyflash.search.designs.jobs import Fields, Job, Results, computed, key_of, workers
from tinyflash.search.designs.layers import Network
from tinyflash.search.designs.searching import Progress, Request, search
from tinyflash.search.designs.stage1 import Input, Planner
from tinyflash.search.designs.stage2 import Trainer
from tinyflash.search.designs.task import Task
from tinyflash.search.designs.trial import seconds, train

METHODS = ("design", "random", "zoo")
SPACES = 8
_RANDOM = 7  # after the seed, of the numbers of random search

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """accuracy: percentage of right test samples, in int8. sram: bytes with training; of "design"
    linked. seconds: that the method took on this computer, less where results were stored. macs: of
    an inference."""

    task: str
    budget: int
    seed: int
    method: str
    accuracy: float
    sram: int
    seconds: float
    macs: int
    trained: int  # networks


@dataclass(frozen=True)
class SpaceRow:
    """The mean multiply-adds of a space's networks, and the best accuracy of a few of them."""

    task: str
    space: str
    macs: float
    accuracy: float


@dataclass(frozen=True)
class Bench:
    """How a comparison is run. folder: of finished results."""

    board: Board
    minutes: float
    processes: int
    folder: Path

    @property
    def effort(self) -> Effort:
        return Effort(self.minutes)


def compare(bench: Bench, task: str, budget: int, seed: int, method: str, tell: Tell) -> Row:
    """Returns what a method reaches. Raises BoardError if nothing of it fits the budget."""
    begun = time.monotonic()
    limits = Limits(budget, bench.board.flash_bytes)
    run = {"design": _design, "random": _random, "zoo": _zoo}[method]
    key = key_of("row", bench.board, bench.minutes, task, budget, seed, method)
    results = Results(bench.folder / "rows.jsonl")
    known = results.known.get(key)
    if known is None:
        found = run(bench, task, limits, seed, tell)
        took = time.monotonic() - begun
        row = Row(task, budget, seed, method, *found[:2], took, *found[2:])
        results.keep([(key, asdict(row))])
        return row
    return Row(**known)


_Found = tuple[float, int, int, int]  # accuracy, sram, macs, networks trained


def _design(bench: Bench, name: str, limits: Limits, seed: int, tell: Tell) -> _Found:
    folder = bench.folder / f"{name}-{limits.sram}-{bench.minutes:g}"
    request = Request(
        ZooSamples(name),
        bench.board,
        limits,
        bench.minutes,
        seed,
        bench.processes,
        folder,
        chooses=False,
    )
    found = search(request, Progress(lambda text, _: tell(text), lambda _: None, tell))
    image = found.trainable.image
    sram = image.sram if image else found.trainable.cost.sram
    if found.late:
        tell("late: not all that was planned was tried")
    return found.test, sram, found.best.design.macs, len(found.tried)


def _random(bench: Bench, name: str, limits: Limits, seed: int, tell: Tell) -> _Found:
    """Draws from all spaces what fits, gives each a third of a whole training, and takes the best:
    in the seconds that a search has for its short trainings."""
    samples = ZooSamples(name)
    task, effort = samples.load(), bench.effort
    results = Results(bench.folder / f"{name}-random.jsonl")
    each = full_samples(len(task.train)) // FACTOR
    with workers(bench.processes) as pool:
        planner = Planner(bench.board, results, pool)
        tell("draws")
        drawn = _drawn(task, limits, planner, effort.halving_seconds, each, seed)
        tell(f"trains {len(drawn)} networks")
        trainer = Trainer(samples, task.digest(), seed, results, pool)
        scores = trainer.scores(drawn, each)
    best = max(scores, key=lambda one: (*scores[one].rank, one.key))
    tell("trains the best network")
    length = effort.final_samples(best, len(task.train))
    return _finished(best, task, length, seed), drawn[best].sram, best.macs, len(drawn)


def _drawn(
    task: Task, limits: Limits, planner: Planner, budget: float, each: int, seed: int
) -> dict[Design, Cost]:
    given = Input(task.family, task.shape, task.classes)
    every = spaces(task.family, task.shape)
    random = np.random.default_rng((seed, _RANDOM))
    found: dict[Design, Cost] = {}
    spent = 0.0
    for _ in range(10_000):
        design = given.draw(every[int(random.integers(len(every)))], random)
        (cost,) = planner.costs([design])
        if limits.allow(cost) and design not in found:
            spent += seconds(design, each)
            if spent > budget and found:
                return found
            found[design] = cost
    return found


def _zoo(bench: Bench, name: str, limits: Limits, seed: int, tell: Tell) -> _Found:
    """Trains the zoo's architecture on the same samples, as long as the best of a search."""
    network, task = zoo_network(name), ZooSamples(name).load()
    cost = cost_of(network, bench.board)
    if not limits.allow(cost):
        raise BoardError(f"the zoo's network takes {cost.sram:,} bytes of SRAM with its training")
    tell("trains")
    return _finished(network, task, full_samples(len(task.train)), seed), cost.sram, network.macs, 1


def _finished(network: Network, task: Task, samples: int, seed: int) -> float:
    weights, _ = train(network, task, samples, seed)
    return accuracy(in_int8(network, weights, task), task.test)


def correlate(
    bench: Bench, name: str, kind: Kind, draws: int, seed: int, tell: Tell
) -> tuple[tuple[SpaceRow, ...], float]:
    """Trains a few networks of each of eight spaces of a kind. Returns them, and the rank
    correlation of mean multiply-adds and best validation accuracy."""
    samples = ZooSamples(name)
    task = samples.load()
    given = Input(task.family, task.shape, task.classes)
    every = [space for space in spaces(task.family, task.shape) if space.kind == kind]
    chosen = [every[int(i)] for i in np.linspace(0, len(every) - 1, SPACES).round()]
    length = full_samples(len(task.train)) // FACTOR
    designs = {
        space: [given.draw(space, np.random.default_rng((seed, n))) for n in range(draws)]
        for space in chosen
    }
    results = Results(bench.folder / f"{name}-spaces.jsonl")
    jobs: dict[str, Job] = {}
    keys: dict[Design, str] = {}
    for design in (one for group in designs.values() for one in group):
        keys[design] = key_of("space", task.digest(), design.key, length, seed)
        jobs[keys[design]] = Job(spaced, (design, samples, length, seed))
    with workers(bench.processes) as pool:
        found = computed(jobs, results, pool, lambda _: tell("trained a network"))
    rows = tuple(
        SpaceRow(
            name,
            str(space),
            float(np.mean([one.macs for one in group])),
            max(found[keys[one]]["accuracy"] for one in group),
        )
        for space, group in designs.items()
    )
    return rows, rank_correlation([r.macs for r in rows], [r.accuracy for r in rows])


def spaced(design: Design, samples: ZooSamples, length: int, seed: int) -> Fields:
    """A job: the validation accuracy of a network."""
    return {"accuracy": train(design, samples.load(), length, seed)[1].accuracy}


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Returns Spearman's coefficient; equal values share their mean rank."""
    a, b = (_ranks(np.asarray(values, np.float64)) for values in (x, y))
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)
