"""The training loop, for any session: the host's library, an emulated board, a real one.

The order of samples and the learning rates are functions of the recipe alone, so that two sessions
given the same recipe and the same samples see the very same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinyflash.errors import DataError
from tinyflash.runtime.guard import GuardReport
from tinyflash.runtime.host.schedule import rate_at
from tinyflash.runtime.schedule import Kind, Schedule
from tinyflash.runtime.session import Counters, Int8Array, Labels, Outcome, Session
from tinyflash.training.samples import Samples
from tinyflash.training.targets import Objective

LEAST_PROBABILITY = 2.0**-16  # a probability of 0 stands for less than half a unit of 2^-15


@dataclass(frozen=True)
class Recipe:
    """How to train: passes over the samples, learning rate per real unit of weight, its course.

    warmup: training steps in which the rate rises to `rate`.
    """

    epochs: int = 3
    rate: float = 0.03
    schedule: Kind = "cosine"
    seed: int = 0
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise DataError(f"epochs is {self.epochs}; it must be at least 1")
        if self.warmup < 0:
            raise DataError(f"warmup is {self.warmup}; it must be at least 0")
        self.course(self.warmup + 1)

    def course(self, steps: int) -> Schedule:
        """The learning rate over a run of so many steps."""
        return Schedule(self.schedule, self.rate, steps, self.warmup)

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step 0 <= `step` < `steps`: to the bit what a device takes."""
        return rate_at(self.course(steps), step)

    def order(self, samples: int) -> Iterator[int]:
        """Indices of the samples in the order of training, `epochs` permutations of them."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            yield from random.permutation(samples).tolist()


@dataclass(frozen=True)
class Guard:
    """Samples never trained on, inferred every so many steps: once more than `tolerance` are lost,
    training goes back to the best weights; it ends with them."""

    held_out: Samples
    every: int = 50
    tolerance: int = 1


@dataclass(frozen=True)
class Step:
    """One training step as it went: the forward pass, before the update."""

    number: int  # from 0
    of: int
    sample: int
    rate: float
    loss: float  # cross-entropy, nats; with targets, that of Objective.of_step
    correct: bool | None  # None: there was no label


@dataclass(frozen=True)
class History:
    """All steps of a run; the session's counters now and then; what the guard said at the end."""

    steps: tuple[Step, ...]
    counters: tuple[Counters, ...] = ()
    guard: GuardReport | None = None

    def running(self, window: int) -> tuple[list[float], list[float]]:
        """Mean loss and accuracy in percent over the last `window` steps, at each step."""
        losses = _running_mean([step.loss for step in self.steps], window)
        correct = _running_mean([100.0 * bool(step.correct) for step in self.steps], window)
        return losses, correct


@dataclass(frozen=True)
class Evaluation:
    """What a session says of samples.

    outputs: stored, int8 [count, output elements]. score: accuracy in percent; the mean loss where
    the samples have targets.
    """

    outputs: Int8Array
    score: float


def _running_mean(values: list[float], window: int) -> list[float]:
    sums = np.cumsum([0.0, *values])
    last = np.arange(1, len(sums))
    first = np.maximum(last - window, 0)
    return ((sums[last] - sums[first]) / (last - first)).tolist()  # type: ignore[no-any-return]


def _ignore(_: object) -> None:
    """The default listener."""


def train(
    session: Session,
    samples: Samples,
    recipe: Recipe,
    listen: Callable[[Step], None] = _ignore,
    *,
    guard: Guard | None = None,
    look_every: int = 0,
    objective: Objective | None = None,
) -> History:
    """Trains in place, batch 1, at the rates of the session's own schedule.

    listen: called after every step. look_every: steps between two looks at the counters; 0: none.
    objective: what the samples' targets are; None where they have labels.
    """
    if len(samples) == 0:
        raise DataError("there are no samples to train with; give at least one")
    if guard is not None:
        held_out = guard.held_out
        session.start_guard(held_out.x, held_out.y.astype(np.int64), guard.every, guard.tolerance)
    counters = [session.counters()] if look_every else []
    steps = []
    for step in _steps(session, samples, recipe, objective):
        steps.append(step)
        listen(step)
        if look_every and len(steps) % look_every == 0:
            counters.append(session.counters())
    report = None if guard is None else session.finish_guard()
    return History(tuple(steps), tuple(counters), report)


def _steps(
    session: Session, samples: Samples, recipe: Recipe, objective: Objective | None
) -> Iterator[Step]:
    """Takes the steps, one by one."""
    total = recipe.epochs * len(samples)
    course = recipe.course(total)
    session.set_schedule(course)
    for number, index in enumerate(recipe.order(len(samples))):
        loss, correct = _learn(session, samples.x[index], samples.y[index], objective)
        yield Step(number, total, index, rate_at(course, number), loss, correct)


def _learn(
    session: Session, x: Int8Array, y: Labels | Int8Array, objective: Objective | None
) -> tuple[float, bool | None]:
    """One step, from a label or towards a target: the loss, and whether the label was found."""
    if objective is not None:
        return objective.of_step(session.train_on_target(x, y.astype(np.int8))), None
    outcome = session.train_step(x, int(y))
    return _cross_entropy(outcome), outcome.predicted == int(y)


def _cross_entropy(outcome: Outcome) -> float:
    return -math.log(max(outcome.probability, LEAST_PROBABILITY))


def evaluate(
    session: Session,
    samples: Samples,
    objective: Objective | None = None,
    listen: Callable[[int], None] = _ignore,
) -> Evaluation:
    """Infers every sample. objective: what their targets are; None where they have labels. listen:
    called with the number of samples that are done."""
    outputs = _infer(session, samples, listen)
    if objective is not None:
        return Evaluation(outputs, objective.of_outputs(outputs, samples.y.astype(np.int8)))
    return Evaluation(outputs, 100.0 * float(np.mean(outputs.argmax(axis=1) == samples.y)))


def _infer(session: Session, samples: Samples, listen: Callable[[int], None]) -> Int8Array:
    """Stored outputs, [count, output elements]."""
    if len(samples) == 0:
        raise DataError("there are no samples to evaluate; give at least one")
    outputs = []
    for done, x in enumerate(samples.x, start=1):
        outputs.append(session.infer(x))
        listen(done)
    return np.stack(outputs)
