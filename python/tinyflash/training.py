"""The training loop, for any session: the host's library, an emulated board, a real one.

The order of samples and the learning rates are functions of the recipe alone, so that two sessions
given the same recipe and the same samples see the very same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tinyflash.errors import DataError
from tinyflash.objective import Objective
from tinyflash.samples import Samples
from tinyflash.session import Int8Array, Outcome, Session

Schedule = Literal["cosine", "constant", "step"]

STEP_DROPS = 2  # the step schedule divides the rate by STEP_FACTOR this often, evenly spread
STEP_FACTOR = 10.0
LEAST_PROBABILITY = 2.0**-16  # a probability of 0 stands for less than half a unit of 2^-15


@dataclass(frozen=True)
class Recipe:
    """How to train: passes over the samples, learning rate per real unit of weight, its course."""

    epochs: int = 3
    rate: float = 0.03
    schedule: Schedule = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise DataError(f"epochs is {self.epochs}; it must be at least 1")
        if not (math.isfinite(self.rate) and 0 < self.rate <= 100):
            raise DataError(f"rate is {self.rate}; it must lie above 0 and up to 100")
        if self.schedule not in get_args(Schedule):
            raise DataError(f"schedule {self.schedule!r} is not one of {get_args(Schedule)}")

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step 0 <= `step` < `steps`."""
        done = step / steps
        if self.schedule == "cosine":
            return self.rate * 0.5 * (1.0 + math.cos(math.pi * done))
        if self.schedule == "step":
            return self.rate / STEP_FACTOR ** int(done * (STEP_DROPS + 1))
        return self.rate

    def order(self, samples: int) -> Iterator[int]:
        """Indices of the samples in the order of training, `epochs` permutations of them."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            yield from random.permutation(samples).tolist()


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
    """All steps of a run."""

    steps: tuple[Step, ...]

    def running(self, window: int) -> tuple[list[float], list[float]]:
        """Mean loss and accuracy in percent over the last `window` steps, at each step."""
        losses = _running_mean([step.loss for step in self.steps], window)
        correct = _running_mean([100.0 * bool(step.correct) for step in self.steps], window)
        return losses, correct


@dataclass(frozen=True)
class Evaluation:
    """What a session says of samples: logits int8 [count, classes], accuracy in percent."""

    logits: Int8Array
    accuracy: float


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
    objective: Objective | None = None,
) -> History:
    """Trains in place, batch 1; `listen` hears of every step. `objective`: what targets are."""
    if len(samples) == 0:
        raise DataError("there are no samples to train with; give at least one")
    total = recipe.epochs * len(samples)
    steps = []
    for number, index in enumerate(recipe.order(len(samples))):
        rate, x, y = recipe.rate_at(number, total), samples.x[index], samples.y[index]
        if objective is None:
            outcome = session.train_step(x, int(y), rate)
            loss, correct = _cross_entropy(outcome), outcome.predicted == int(y)
            step = Step(number, total, index, rate, loss, correct)
        else:
            outcome = session.train_on_target(x, y.astype(np.int8), rate)
            step = Step(number, total, index, rate, objective.of_step(outcome), None)
        steps.append(step)
        listen(step)
    return History(tuple(steps))


def _cross_entropy(outcome: Outcome) -> float:
    return -math.log(max(outcome.probability, LEAST_PROBABILITY))


def evaluate(
    session: Session, samples: Samples, listen: Callable[[int], None] = _ignore
) -> Evaluation:
    """Infers every sample; `listen` hears how many are done."""
    stored = _infer(session, samples, listen)
    return Evaluation(stored, 100.0 * float(np.mean(stored.argmax(axis=1) == samples.y)))


def evaluate_loss(
    session: Session,
    samples: Samples,
    objective: Objective,
    listen: Callable[[int], None] = _ignore,
) -> float:
    """The mean loss of samples with targets; `listen` hears how many are done."""
    stored = _infer(session, samples, listen)
    return objective.of_outputs(stored, samples.y.astype(np.int8))


def _infer(session: Session, samples: Samples, listen: Callable[[int], None]) -> Int8Array:
    """Stored outputs, [count, output elements]."""
    if len(samples) == 0:
        raise DataError("there are no samples to evaluate; give at least one")
    outputs = []
    for done, x in enumerate(samples.x, start=1):
        outputs.append(session.infer(x))
        listen(done)
    return np.stack(outputs)
