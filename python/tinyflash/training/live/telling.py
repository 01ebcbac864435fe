"""Tells an observer what live learning does: each window, and how it was classified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.session import Int8Array
from tinyflash.show.watch.observer import Observer, Score, Teaching
from tinyflash.training.live.course import Seen
from tinyflash.training.live.learner import Answer, Learner
from tinyflash.training.live.replaying import Stream
from tinyflash.training.live.teaching import Teacher, Window
from tinyflash.training.looks import Looks, signal_of
from tinyflash.training.open import Ready
from tinyflash.training.scores import MATRIX

_TEACHES = "A button labels the newest window; the number is that of its labels so far."
_WHAT = "windows, each before it was learned from"


@dataclass(frozen=True)
class LiveStep:
    """A window, as an observer takes a step. of: 0 without an end."""

    number: int
    of: int
    loss: float
    correct: bool | None


class _Telling:
    """What both kinds of live learning tell. windows: how many there will be; 0: unknown."""

    def __init__(self, observer: Observer, ready: Ready, windows: int) -> None:
        self._observer, self._ready, self._of = observer, ready, windows
        classes = ready.compiled.program.classes
        self._counts = np.zeros((classes, classes), np.int64)
        self._looks: Looks | None = None

    def _newest(self, x: Int8Array, answer: Answer, label: int | None) -> None:
        port = self._ready.compiled.graph.input
        self._observer.signal(signal_of(x, port, "The newest window."))
        values = tuple(answer.probabilities.tolist())
        self._observer.probabilities(values, "Of the newest window.", label)

    def _step(self, number: int, one: Seen) -> None:
        self._counts[one.label, one.predicted] += 1
        self._observer.step(LiveStep(number, self._of, one.loss, one.correct))

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


class Teller(_Telling):
    """Hears of each window of a run. begun: the windows of an interrupted run that goes on."""

    def __init__(
        self, observer: Observer, stream: Stream, ready: Ready, begun: tuple[Seen, ...] = ()
    ) -> None:
        super().__init__(observer, ready, len(stream.windows))
        self._stream, self._begun = stream, begun

    def __call__(self, number: int, learner: Learner, one: Seen, answer: Answer) -> None:
        first = number - len(self._begun)
        for index, seen in enumerate((*self._begun, one), first):
            self._step(index, seen)
        self._begun = ()
        self._newest(self._stream.windows.x[number], answer, one.label)
        if (number + 1) % self._stream.look_every == 0 or number + 1 == len(self._stream.windows):
            self._look(number + 1, learner)


class LessonTeller(_Telling):
    """Hears of what a person teaches."""

    def __init__(self, observer: Observer, ready: Ready) -> None:
        super().__init__(observer, ready, 0)

    def window(self, window: Window) -> None:
        self._newest(window.x, window.answer, None)

    def learned(self, number: int, one: Seen, learner: Learner) -> None:
        """Hears of labelled window `number`, counted from 0."""
        self._step(number, one)
        self._look(number + 1, learner)

    def teacher(self, teacher: Teacher, counts: tuple[int, ...]) -> None:
        """Says what has become of labels; may be called often."""
        self._observer.teaching(Teaching(counts, _TEACHES, teacher.note, teacher.question))
