"""Learners with one interface: the C library on the host, and the float twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinyflash.bench.accuracy.operators import real
from tinyflash.bench.accuracy.twin import Twin
from tinyflash.compiler import Compiled
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Int8Array, Labels
from tinyflash.training import loop as training
from tinyflash.training.loop import Recipe
from tinyflash.training.samples import Samples

Logits = npt.NDArray[np.float32]


class Learner(Protocol):
    """A network that starts from the compiled weights."""

    def train(self, samples: Samples, recipe: Recipe) -> None:
        """Trains with batch size 1, in the recipe's order and at its rates."""

    def logits(self, x: Int8Array) -> Logits:
        """Returns real logits [n][classes]."""

    def health(self) -> dict[str, int]:
        """Returns the counters of the training run, if the arithmetic has any."""


class Int8Learner:
    """The C library: bit-equal to a device."""

    def __init__(self, compiled: Compiled) -> None:
        self.quant = compiled.graph.tensors[compiled.graph.output.tensor].quant
        self.session = HostSession(compiled.program)

    def train(self, samples: Samples, recipe: Recipe) -> None:
        training.train(self.session, samples, recipe)

    def logits(self, x: Int8Array) -> Logits:
        return real(np.stack([self.session.infer(sample) for sample in x]), self.quant)

    def health(self) -> dict[str, int]:
        counters = self.session.counters()
        return {
            "steps": counters.step,
            "weights_saturated": counters.weights_saturated,
            "updates_skipped": counters.updates_skipped,
            "gradients_saturated": sum(counters.gradients_saturated),
        }


class FloatLearner:
    """The float twin: the same samples, order and rates."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin

    def train(self, samples: Samples, recipe: Recipe) -> None:
        steps = recipe.epochs * len(samples)
        for number, index in enumerate(recipe.order(len(samples))):
            label, rate = int(samples.y[index]), recipe.rate_at(number, steps)
            self.twin.step(samples.x[index], label, rate)

    def logits(self, x: Int8Array) -> Logits:
        return self.twin.logits(x)

    def health(self) -> dict[str, int]:
        return {}


@dataclass(frozen=True)
class Verdict:
    """A network's result: correct or not for each sample, and the mean loss in nats."""

    correct: npt.NDArray[np.bool_]
    loss: float

    @property
    def accuracy(self) -> float:
        """Percent."""
        return 100.0 * float(np.mean(self.correct))


def judge(learner: Learner, samples: Samples) -> Verdict:
    labels = samples.y.astype(np.int64)
    logits = learner.logits(samples.x).astype(np.float64)
    if not np.isfinite(logits).all():  # float training can diverge
        return Verdict(np.zeros(len(samples), np.bool_), float("inf"))
    return Verdict(logits.argmax(axis=1) == labels, _cross_entropy(logits, labels))


def _cross_entropy(logits: npt.NDArray[np.float64], labels: Labels) -> float:
    above = logits - logits.max(axis=1, keepdims=True)
    chosen = above[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(above).sum(axis=1)) - chosen))
