"""The training loop, for any session: the host's library, an emulated board, a real one.

The order of samples and the learning rates depend only on the recipe. So two sessions with the same
recipe and samples take exactly the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tinyflash.errors import DataError
from tinyflash.graph import Port
from tinyflash.runtime.guard import GuardMemory, GuardReport
from tinyflash.runtime.host.schedule import rate_at
from tinyflash.runtime.schedule import Kind, Schedule
from tinyflash.runtime.session import Counters, Int8Array, Labels, Outcome, Session
from tinyflash.runtime.units import decode
from tinyflash.training.groups import complete_group
from tinyflash.training.samples import Samples
from tinyflash.training.targets import Objective

LEAST_PROBABILITY = 2.0**-16  # a probability of 0 means less than half a unit of 2^-15


@dataclass(frozen=True)
class Recipe:
    """How to train: passes over the samples, learning rate per real unit of weight, its schedule.

    warmup: training steps during which the rate rises to `rate`.
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
        """Returns the learning-rate schedule of a run with `steps` steps."""
        return Schedule(self.schedule, self.rate, steps, self.warmup)

    def rate_at(self, step: int, steps: int) -> float:
        """Returns the learning rate of step 0 <= `step` < `steps`, bit-equal to the device."""
        return rate_at(self.course(steps), step)

    def order(self, samples: int) -> Iterator[int]:
        """Returns the indices of the samples in training order: `epochs` permutations of them."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            yield from random.permutation(samples).tolist()


@dataclass(frozen=True)
class Guard:
    """Infers held-out samples every few steps. If more than `tolerance` of them are lost, training
    returns to the best weights. It ends with the best weights."""

    held_out: Samples
    every: int = 50
    tolerance: int = 1


@dataclass(frozen=True)
class Step:
    """The result of one training step: its forward pass, before the update."""

    number: int  # from 0
    of: int
    sample: int
    rate: float
    loss: float  # cross-entropy, nats; with targets, Objective.of_step
    correct: bool | None  # None: no label


@dataclass(frozen=True)
class History:
    """All steps of a run, regular readings of the session's counters, and the guard's final
    report.

    finished: False if it was interrupted after these steps; then `memory` is what its guard
    remembers, and there is no report.
    """

    steps: tuple[Step, ...]
    counters: tuple[Counters, ...] = ()
    guard: GuardReport | None = None
    memory: GuardMemory | None = None
    finished: bool = True

    def running(self, window: int) -> tuple[list[float], list[float]]:
        """Returns the mean loss and the accuracy in percent over the last `window` steps, at each
        step."""
        losses = _running_mean([step.loss for step in self.steps], window)
        correct = _running_mean([100.0 * bool(step.correct) for step in self.steps], window)
        return losses, correct


@dataclass(frozen=True)
class Evaluation:
    """The outputs of a session for some samples, and their score.

    outputs: stored int8 [count, output elements]. score: accuracy in percent; if the samples have
    targets, the mean loss.
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
    listen: Callable[[Step], object] = _ignore,
    *,
    guard: Guard | None = None,
    look_every: int = 0,
    objective: Objective | None = None,
    accumulate: int = 1,
    begun: History | None = None,
    look: Callable[[Counters], object] = _ignore,
) -> History:
    """Trains in place with batch size 1, at the rates of the session's own schedule.

    listen: called after every step; it may infer; the run is interrupted if it returns True.
    look_every: steps between two readings of the counters, with which `look` is called; 0: none.
    objective: how the samples'
    targets are stored and compared; None if they have labels. accumulate: samples per update of the
    weights, `Compiled.accumulate`: a last group of fewer is applied, too. begun: the interrupted
    run of the same samples and recipe that goes on; the session has the weights and the state of
    its end.
    """
    if len(samples) == 0:
        raise DataError("there are no samples to train with; give at least one")
    _check_kind(samples, objective)
    if begun is not None and begun.finished:
        return begun
    if guard is not None:
        _set_guard(session, guard, begun)
    steps = [] if begun is None else list(begun.steps)
    counters = [session.counters()] if look_every and begun is None else []
    counters += [] if begun is None else begun.counters
    for step in _steps(session, samples, recipe, objective, len(steps)):
        steps.append(step)
        stop = listen(step)
        if look_every and len(steps) % look_every == 0:
            counters.append(session.counters())
            look(counters[-1])
        if stop and len(steps) < step.of:
            memory = None if guard is None else _memory(session, guard, len(steps))
            return History(tuple(steps), tuple(counters), None, memory, finished=False)
    complete_group(session, samples, accumulate)
    report = None if guard is None else session.finish_guard()
    return History(tuple(steps), tuple(counters), report)


def _set_guard(session: Session, guard: Guard, begun: History | None) -> None:
    """Starts the guard, or lets it go on."""
    x, y = guard.held_out.x, guard.held_out.labels
    if begun is None:
        session.start_guard(x, y, guard.every, guard.tolerance)
    else:
        assert begun.memory is not None
        session.resume_guard(x, y, guard.every, guard.tolerance, begun.memory)


def _memory(session: Session, guard: Guard, steps: int) -> GuardMemory:
    """Returns what the guard remembers after some steps of a run: it has waited since its last
    evaluation, one every `guard.every` steps."""
    return GuardMemory(session.guard_report(), steps % guard.every, session.guard_snapshot())


def _check_kind(samples: Samples, objective: Objective | None) -> None:
    """Raises DataError for targets without an objective, and for labels with one."""
    if (samples.y.ndim == 1) != (objective is None):
        raise DataError(
            f"y has shape {samples.y.shape}; without an objective it must be labels, one whole "
            "number per sample; with one, targets"
        )


def _steps(
    session: Session, samples: Samples, recipe: Recipe, objective: Objective | None, done: int
) -> Iterator[Step]:
    """Yields the steps, one by one, after `done` earlier ones."""
    total = recipe.epochs * len(samples)
    course = recipe.course(total)
    session.set_schedule(course, done)
    order = islice(enumerate(recipe.order(len(samples))), done, None)
    for number, index in order:
        loss, correct = _learn(session, samples.x[index], samples.y[index], objective)
        yield Step(number, total, index, rate_at(course, number), loss, correct)


def _learn(
    session: Session, x: Int8Array, y: Labels | Int8Array, objective: Objective | None
) -> tuple[float, bool | None]:
    """Runs one step, with a label or a target. Returns the loss, and whether the label was
    predicted."""
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
    output: Port | None = None,
) -> Evaluation:
    """Infers every sample. objective: how their targets are stored and compared; None if they have
    labels. listen: called with the number of samples done. output: how scores of classes are
    stored; None: as int8."""
    _check_kind(samples, objective)
    return evaluation(infer_all(session, samples.x, listen), samples, objective, output)


def evaluation(
    outputs: Int8Array, samples: Samples, objective: Objective | None, output: Port | None = None
) -> Evaluation:
    """Returns the outputs for some samples with their score, as `evaluate` does."""
    if objective is not None:
        return Evaluation(outputs, objective.of_outputs(outputs, samples.y.astype(np.int8)))
    scores = outputs if output is None else decode(output, outputs)
    return Evaluation(outputs, 100.0 * float(np.mean(scores.argmax(axis=1) == samples.y)))


def infer_all(session: Session, x: Int8Array, listen: Callable[[int], None] = _ignore) -> Int8Array:
    """Infers samples x [n, ...]. Returns stored outputs, [n, output elements]. listen: as for
    `evaluate`."""
    if len(x) == 0:
        raise DataError("there are no samples to evaluate; give at least one")
    outputs = []
    for done, sample in enumerate(x, start=1):
        outputs.append(session.infer(sample))
        listen(done)
    return np.stack(outputs)
