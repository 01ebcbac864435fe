"""Tells an observer what a training run does, from what the run has at hand anyway.

The one thing that is read for the observer alone are the weights of a board, and seldom: what it
costs the link is at most 5 % of what the samples cost.
"""

from __future__ import annotations

import math
import time
from math import prod

import numpy as np

from tinyflash.graph import Port
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.learned import layer_spans
from tinyflash.runtime.session import Counters, Int8Array, Session
from tinyflash.runtime.units import decode
from tinyflash.show.watch.observer import NOBODY, Gradients, Layer, Observer, Score, Signal
from tinyflash.training.health import Anatomy, Stretch, stretches
from tinyflash.training.job import Job
from tinyflash.training.loop import Evaluation, History, Step
from tinyflash.training.open import Ready
from tinyflash.training.scores import MATRIX, confusion

_SHARE = 0.05  # bytes of weights that are read, per byte of samples that was sent
_SHOW_S = 1 / 60  # between two samples or beliefs that are shown
_SMOOTHING = 0.2  # weight of the newest sample in the belief of its class
_CHANNELS = 12  # drawn as lines; a signal with more is a picture
_LIMIT = 127  # of a trained weight


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
        self._anatomy = Anatomy.of(ready.compiled)
        self._spans = layer_spans(program)
        self._start = session.weights
        self._counters = session.counters()
        self._beliefs = [math.nan] * (0 if job.objective else program.classes)
        self._shown = 0.0
        self._earlier: tuple[Step, ...] = ()
        self._device = session if isinstance(session, DeviceSession) else None
        self._every = _steps_between(len(program.weights), program.input_bytes)
        self._read = self._counters.step

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
        found = stretches((self._counters, counters), self._anatomy)
        self._counters = counters
        if found:
            self._observer.gradients(_gradients(counters, found[0], self._anatomy))
        self._observer.counters(_counts(counters))
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
        old, new = (np.frombuffer(w, np.int8) for w in (self._start, weights))
        self._observer.layers(
            done, [_layer(name, old[a:b], new[a:b]) for name, a, b in self._spans]
        )


def _steps_between(weights: int, sample: int) -> int:
    return math.ceil(weights / (_SHARE * max(1, sample)))


def _layer(name: str, old: Int8Array, new: Int8Array) -> Layer:
    change = np.abs(new.astype(np.int16) - old).mean()
    at_limit = (np.abs(new.astype(np.int16)) >= _LIMIT).mean()
    return Layer(name, float(f"{change:.4g}"), float(f"{at_limit:.4g}"), len(new))


def _gradients(counters: Counters, part: Stretch, anatomy: Anatomy) -> Gradients:
    return Gradients(
        counters.step,
        anatomy.gradients,
        counters.exponents,
        round(part.gradients_ppm, 1),
        round(part.weights_ppm, 1),
        round(part.skipped_percent, 2),
    )


def _counts(counters: Counters) -> dict[str, int | float | str]:
    return {
        "training steps of these weights": counters.step,
        "gradient elements saturated": sum(counters.gradients_saturated),
        "weight updates saturated": counters.weights_saturated,
        "updates skipped": counters.updates_skipped,
    }


def signal_of(x: Int8Array, port: Port, text: str = "") -> Signal:
    """Returns a sample as a page draws it: frames as lines, maps as a picture. x: stored, any shape
    that has the elements of `port`."""
    scale, offset = 1.0, 0.0
    if port.dtype == "uint8":
        x, offset = (x.view(np.uint8) ^ 0x80).view(np.int8), 128.0
    elif port.quant is not None:
        scale, zero = float(port.quant.scale[0]), int(port.quant.zero)
        offset = -zero * scale
    return Signal(x.reshape(drawn_as(port.shape)), scale=scale, offset=offset, text=text)


def drawn_as(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape in which a sample of `shape`, which begins with a batch, is drawn: frames
    [n][channels], or a picture [rows][columns][planes]."""
    sides = shape[1:]
    long = [side for side in sides[:-1] if side > 1]
    planes = sides[-1] if len(sides) > 1 else 1
    count = prod(sides) // planes
    if len(long) > 1 and len(sides) > 2:
        rows = long[0]
        wide = (count // rows, planes) if planes in (1, 3) else (count // rows * planes, 1)
        return (rows, *wide)
    if count == 1:
        return (planes, 1)
    return (count, planes) if planes <= _CHANNELS else (count, planes, 1)
