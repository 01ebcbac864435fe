"""One cell of the table: a method on a task. Chooses the rate on validation samples, then tests on
samples that no choice has seen.

Tries every rate of a small grid on the first seed; the grid grows while its best rate is at an
edge. The FINALISTS best rates go on to the other seeds. The rate with the best mean over all seeds
wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tinyflash.bench.accuracy.learners import Learner, judge
from tinyflash.bench.accuracy.methods import Method, Variant, learner
from tinyflash.bench.accuracy.schemes import Memory, memory
from tinyflash.training.loop import Recipe
from tinyflash.zoo.task import Split, Task

RATIO = 2.5  # between neighbouring rates
GRID = 3  # rates at first
GROWTH = 3  # more rates at most, while the best is at an edge
FINALISTS = 2


@dataclass(frozen=True)
class Effort:
    """The limits of a benchmark run. None: as in the task."""

    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int | None = None
    train: int | None = None  # samples of each split
    validation: int | None = None
    test: int | None = None
    grid: int = GRID
    growth: int = GROWTH

    def limit(self, split: Split) -> Split:
        """Returns the split, cut to these numbers of samples, always the same ones.

        The samples are drawn: a stride through samples with alternating labels would miss labels.
        """
        parts = []
        for samples, most in (
            (split.train, self.train),
            (split.validation, self.validation),
            (split.test, self.test),
        ):
            count = len(samples) if most is None else min(most, len(samples))
            drawn = np.random.default_rng(0).permutation(len(samples))[:count]
            parts.append(samples.take(np.sort(drawn)))
        return Split(*parts)


@dataclass(frozen=True)
class Run:
    """One seed at one rate: accuracy in percent and loss on the validation samples, and health."""

    variant: str
    rate: float
    seed: int
    accuracy: float
    loss: float
    seconds: float
    health: dict[str, int]


@dataclass(frozen=True)
class Limits:
    """The numbers of samples of one seed, over all splits."""

    network: str
    splits: int
    train: int
    validation: int
    test: int
    epochs: int


@dataclass(frozen=True)
class Cell:
    """The result. `correct`: per seed, a 0 or 1 for each test sample, in the order of the split.

    memory: SRAM bytes of the int8 methods.
    """

    task: str
    method: str
    limits: Limits
    variant: str
    rate: float
    runs: tuple[Run, ...]
    accuracies: tuple[float, ...]  # test, percent, one per seed
    correct: tuple[str, ...]
    memory: Memory | None

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float:
        """The standard deviation over seeds."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class Trial:
    """A variant at a rate, before its run."""

    variant: Variant
    rate: float


@dataclass
class Experiment:
    """The runs of a cell so far, and their trained networks."""

    task: Task
    method: Method
    effort: Effort
    listen: Callable[[str], None]
    splits: dict[int, tuple[Split, ...]] = field(default_factory=dict)
    runs: dict[tuple[Trial, int], Run] = field(default_factory=dict)
    learned: dict[tuple[Trial, int], list[Learner]] = field(default_factory=dict)

    def split(self, seed: int) -> tuple[Split, ...]:
        if seed not in self.splits:
            self.splits[seed] = tuple(self.effort.limit(s) for s in self.task.splits(seed))
        return self.splits[seed]

    def run(self, trial: Trial, seed: int) -> Run:
        """Trains and validates each split separately, and pools their samples."""
        if (trial, seed) not in self.runs:
            start = time.perf_counter()
            learners = [self._train(trial, split, seed) for split in self.split(seed)]
            pairs = zip(learners, self.split(seed), strict=True)
            verdicts = [judge(learned, split.validation) for learned, split in pairs]
            correct = np.concatenate([v.correct for v in verdicts])
            weights = [len(v.correct) for v in verdicts]
            loss = float(np.average([v.loss for v in verdicts], weights=weights))
            self.learned[trial, seed] = learners
            self.runs[trial, seed] = Run(
                trial.variant.name,
                trial.rate,
                seed,
                100.0 * float(np.mean(correct)),
                loss,
                time.perf_counter() - start,
                _summed([learned.health() for learned in learners]),
            )
            self.listen(
                f"{self.task.name}, {self.method.title}: rate {trial.rate:.3g}, seed {seed}"
            )
        return self.runs[trial, seed]

    def _train(self, trial: Trial, split: Split, seed: int) -> Learner:
        fresh = learner(self.method, trial.variant, self.task, split.train, seed)
        fresh.train(split.train, Recipe(self.epochs, trial.rate, "cosine", seed))
        return fresh

    @property
    def epochs(self) -> int:
        return self.task.epochs if self.effort.epochs is None else self.effort.epochs

    def limits(self) -> Limits:
        splits = self.split(self.effort.seeds[0])
        return Limits(
            self.task.network,
            len(splits),
            sum(len(s.train) for s in splits),
            sum(len(s.validation) for s in splits),
            sum(len(s.test) for s in splits),
            self.epochs,
        )

    def score(self, trial: Trial, seeds: tuple[int, ...]) -> tuple[float, float]:
        """Returns the mean accuracy, then the negative loss: larger is better."""
        runs = [self.run(trial, seed) for seed in seeds]
        accuracy = float(np.mean([run.accuracy for run in runs]))
        return accuracy, -float(np.mean([run.loss for run in runs]))

    def test(self, trial: Trial, seed: int) -> str:
        """Returns a 0 or 1 for each test sample."""
        pairs = zip(self.learned[trial, seed], self.split(seed), strict=True)
        correct = [judge(learned, split.test).correct for learned, split in pairs]
        return "".join("01"[int(c)] for c in np.concatenate(correct))


def fill(
    name: str,
    task: Task,
    method: Method,
    effort: Effort,
    listen: Callable[[str], None] = lambda _: None,
) -> Cell:
    """Tunes, trains and tests a method on a task called `name`. listen: called with each run."""
    experiment = Experiment(task, method, effort, listen)
    first, every = effort.seeds[:1], effort.seeds
    trials = [t for v in method.variants(task) for t in _grown(experiment, v)]
    trials.sort(key=lambda t: experiment.score(t, first), reverse=True)
    best = max(trials[:FINALISTS], key=lambda t: experiment.score(t, every))
    correct = tuple(experiment.test(best, seed) for seed in every)
    scheme = best.variant.scheme
    return Cell(
        task=name,
        method=method.name,
        limits=experiment.limits(),
        variant=best.variant.name,
        rate=best.rate,
        runs=tuple(experiment.runs.values()),
        accuracies=tuple(100.0 * c.count("1") / len(c) for c in correct),
        correct=correct,
        memory=memory(task, scheme) if method.arithmetic == "int8" else None,
    )


def _grown(experiment: Experiment, variant: Variant) -> list[Trial]:
    """Returns the grid of rates on the first seed, ascending, with the best one inside if
    possible."""
    effort = experiment.effort
    seeds, powers = effort.seeds[:1], range(-(effort.grid // 2), effort.grid - effort.grid // 2)
    trials = [Trial(variant, variant.rate * RATIO**power) for power in powers]
    for _ in range(effort.growth):
        best = max(trials, key=lambda t: experiment.score(t, seeds))
        if best is trials[0]:
            trials.insert(0, Trial(variant, best.rate / RATIO))
        elif best is trials[-1]:
            trials.append(Trial(variant, best.rate * RATIO))
        else:
            break
    return trials


def _summed(parts: list[dict[str, int]]) -> dict[str, int]:
    return {key: sum(part[key] for part in parts) for key in parts[0]}
