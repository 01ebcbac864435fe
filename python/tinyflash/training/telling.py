"""Tells an observer what a training run does, from what the run has at hand anyway.

The one thing that is read for the observer alone are the weights of a board, and seldom: what it
costs the link is at most 5 % of what the samples cost.
"""

from __future__ import annotations

import math
import time

import numpy as np

from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.session import Counters, Session
from tinyflash.runtime.units import decode
from tinyflash.show.watch.observer import NOBODY, Observer, Score
from tinyflash.training.job import Job
from tinyflash.training.looks import Looks, signal_of
from tinyflash.training.loop import Evaluation, History, Step
from tinyflash.training.open import Ready
from tinyflash.training.scores import MATRIX, confusion

_SHARE = 0.05  # bytes of weights that are read, per byte of samples that was sent
_SHOW_S = 1 / 60  # between two samples or beliefs that are shown
_SMOOTHING = 0.2  # weight of the newest sample in the belief of its class


class Teller:
    """Tells nobody anything."""

    def step(self, step: Step) -> None:
        """A training step is done."""

    def goes_on(self, begun: History | None) -> None:
        """The steps to come follow those of an interrupted run."""

    def look(self, counters: Counters) -> None:
        """The counters were read."""

    def judged(self, done: int, found: Evaluation) -> None:
        """Held-out samples were evaluated after `done` steps."""

    def learned(self, done: int, weights: bytes) -> None:
        """The weights after `done` steps were read."""


def teller_of(observer: Observer, job: Job, session: Session, ready: Ready) -> Teller:
    """Returns what tells an observer of a run, which begins with what `session` has learned."""
    return Teller() if observer is NOBODY else _Teller(observer, job, session, ready)


class _Teller(Teller):
    """Tells an observer all that it hears."""

    def __init__(self, observer: Observer, job: Job, session: Session, ready: Ready) -> None:
        self._observer, self._job, self._session = observer, job, session
        graph, program = ready.compiled.graph, ready.compiled.program
        self._input, self._output = graph.input, graph.output
        counters = session.counters()
        self._looks = Looks(observer, ready, session.weights, counters)
        self._beliefs = [math.nan] * (0 if job.objective else program.classes)
        self._shown = 0.0
        self._earlier: tuple[Step, ...] = ()
        self._device = session if isinstance(session, DeviceSession) else None
        self._every = _steps_between(len(program.weights), program.input_bytes)
        self._read = counters.step

    def goes_on(self, begun: History | None) -> None:
        self._earlier = () if begun is None else begun.steps

    def step(self, step: Step) -> None:
        for one in (*self._earlier, step):
            self._observer.step(one)
        self._earlier = ()
        label = None
        if self._beliefs:
            label = int(self._job.train.y[step.sample])
            self._believe(label, math.exp(-step.loss))
        now = time.monotonic()
        if now - self._shown >= _SHOW_S:
            self._shown = now
            sample = self._job.train.x[step.sample]
            self._observer.signal(signal_of(sample, self._input, "A sample that was learned from."))
            if self._beliefs:
                text = "Of the right class, before learning: a mean of each class's last samples."
                self._observer.probabilities(tuple(self._beliefs), text, label)

    def _believe(self, label: int, probability: float) -> None:
        before = self._beliefs[label]
        old = probability if math.isnan(before) else before
        self._beliefs[label] = old + _SMOOTHING * (probability - old)

    def look(self, counters: Counters) -> None:
        self._looks.counters(counters)
        if self._device is None or counters.step - self._read >= self._every:
            self._read = counters.step
            self.learned(counters.step, self._session.weights)
        if self._device is not None:
            self._observer.counters(
                {
                    "commands sent again": self._device.commands_repeated,
                    "clock ticks of the last step": self._device.last_ticks,
                }
            )

    def judged(self, done: int, found: Evaluation) -> None:
        job, matrix = self._job, None
        if job.objective is None:
            scores = decode(self._output, found.outputs)
            classes = scores.shape[1]
            if classes <= MATRIX:
                matrix = confusion(job.held_out.y.astype(np.int64), scores.argmax(axis=1), classes)
        score = Score(done, found.score, job.measure, len(job.held_out), matrix)
        self._observer.score(score)

    def learned(self, done: int, weights: bytes) -> None:
        self._looks.weights(done, weights)


def _steps_between(weights: int, sample: int) -> int:
    return math.ceil(weights / (_SHARE * max(1, sample)))
