"""Tells an observer what live learning does: each window, and how it was classified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.runtime.device import DeviceSession
from tinyflash.show.watch.observer import Observer, Score
from tinyflash.training.live.course import Seen
from tinyflash.training.live.learner import Answer, Learner
from tinyflash.training.live.replaying import Stream
from tinyflash.training.looks import Looks, signal_of
from tinyflash.training.open import Ready
from tinyflash.training.scores import MATRIX

_WHAT = "windows, each before it was learned from"


@dataclass(frozen=True)
class _Step:
    number: int
    of: int
    loss: float
    correct: bool | None


class Teller:
    """Hears of each window of a run. begun: the windows of an interrupted run that goes on."""

    def __init__(
        self, observer: Observer, stream: Stream, ready: Ready, begun: tuple[Seen, ...] = ()
    ) -> None:
        self._observer, self._stream, self._ready = observer, stream, ready
        classes = ready.compiled.program.classes
        self._counts = np.zeros((classes, classes), np.int64)
        self._begun = begun
        self._looks: Looks | None = None

    def __call__(self, number: int, learner: Learner, one: Seen, answer: Answer) -> None:
        first = number - len(self._begun)
        for index, seen in enumerate((*self._begun, one), first):
            self._step(index, seen)
        self._begun = ()
        port, x = self._ready.compiled.graph.input, self._stream.windows.x[number]
        self._observer.signal(signal_of(x, port, "The newest window."))
        values = tuple(answer.probabilities.tolist())
        self._observer.probabilities(values, "Of the newest window.", one.label)
        if (number + 1) % self._stream.look_every == 0 or number + 1 == len(self._stream.windows):
            self._look(number + 1, learner)

    def _step(self, number: int, one: Seen) -> None:
        self._counts[one.label, one.predicted] += 1
        self._observer.step(_Step(number, len(self._stream.windows), one.loss, one.correct))

    def _look(self, done: int, learner: Learner) -> None:
        """Reads what this computer has learned; no board is asked."""
        if self._looks is None:
            now = learner.counters()
            self._looks = Looks(self._observer, self._ready, learner.start, now)
        self._looks.counters(learner.counters())
        self._looks.weights(done, learner.near.weights)
        matrix = self._counts.tolist() if len(self._counts) <= MATRIX else None
        share = 100.0 * float(np.trace(self._counts)) / done
        self._observer.score(Score(done, share, "accuracy", done, matrix, _WHAT))
        device = learner.session
        if isinstance(device, DeviceSession):
            self._observer.counters({"commands sent again": device.commands_repeated})
        self._observer.counters({"windows learned from": learner.steps, "drift": learner.level})
