"""The newest of all that a command has told: what a page shows, and no more.

News replaces news, so that its size is bounded and nobody has to keep up. Who looks asks for what
is newer than what it has. Those who look put it into text, in threads of their own.
"""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tinyflash.show.watch.curve import Curve
from tinyflash.show.watch.observer import (
    RUNNING,
    About,
    Fields,
    Gradients,
    Layer,
    Observer,
    Score,
    Signal,
    Step,
    Teaching,
)
from tinyflash.show.watch.presses import Presses

FRAMES = 512  # of a stream that are kept
SCORES = 400  # evaluations that are kept
_PACE_S = 0.5  # between two measurements of the speed
SECTIONS = (
    "about", "step", "curve", "scores", "layers", "gradients", "signal", "probabilities",
    "counters", "teaching",
)  # fmt: skip


class Live(Observer):
    """What has been told so far, in sections, each with the version that it came with."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._sections: dict[str, tuple[int, Any]] = {}
        self._ended = False
        self._curve, self._pace = Curve(), _Pace()
        self._scores: list[Score] = []
        self._stream: deque[Signal] = deque()
        self._counters: dict[str, int | float | str] = {}
        self.presses = Presses()  # on the page

    # ---- The command's side: keeps, and returns ----

    def begin(self, about: About) -> None:
        self._put(about={**asdict(about), "state": RUNNING, "began": time.time()})

    def step(self, step: Step) -> None:
        done, curve = step.number + 1, self._curve
        news: Fields = {}
        if curve.add(done, step.loss, step.correct):
            news["curve"] = curve.fields()
        news["step"] = {
            "done": done,
            "of": step.of,
            "loss": _short(curve.loss),
            "accuracy": _short(curve.accuracy) if curve.has_labels else None,
            "per_second": self._pace.of(done),
        }
        self._put(**news)

    def score(self, score: Score) -> None:
        if len(self._scores) > SCORES:
            del self._scores[1::2]
        self._scores.append(score)
        points = [[one.done, _short(one.score)] for one in self._scores]
        self._put(scores={**asdict(score), "points": points})

    def layers(self, done: int, layers: Sequence[Layer]) -> None:
        self._put(layers={"done": done, "layers": [asdict(layer) for layer in layers]})

    def gradients(self, gradients: Gradients) -> None:
        self._put(gradients=asdict(gradients))

    def signal(self, signal: Signal) -> None:
        self._put(signal=_Shown((signal,)))

    def frames(self, signal: Signal) -> None:
        self._stream.append(signal)
        count = sum(len(one.numbers) for one in self._stream)
        while count - len(self._stream[0].numbers) >= FRAMES:
            count -= len(self._stream.popleft().numbers)
        self._put(signal=_Shown(tuple(self._stream)))

    def probabilities(self, values: Sequence[float], text: str, label: int | None = None) -> None:
        self._put(probabilities={"values": tuple(values), "text": text, "label": label})

    def counters(self, values: Mapping[str, int | float | str]) -> None:
        self._counters.update(values)
        self._put(counters=dict(self._counters))

    def teaching(self, teaching: Teaching) -> None:
        """Says what is new only: it may be called as often as the caller likes."""
        if (now := asdict(teaching)) != self.section("teaching"):
            self.presses.classes = len(teaching.counts)
            self._put(teaching=now)

    def end(self, how: str) -> None:
        self.presses.classes = 0
        about = self.section("about") or {}
        self._put(about={**about, "state": how, "ended": time.time()})
        self.leave()

    def leave(self) -> None:
        """Tells no more, whatever becomes of the command."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def new_page(self, version: int) -> None:
        """The page itself has changed: there is a report now, or another one."""
        self._put(page=version)

    def show(self, sections: Mapping[str, Any]) -> None:
        """Replaces sections by those of a file."""
        if sections:
            self._put(**sections)

    def _put(self, **news: Any) -> None:
        with self._changed:
            self._version += 1
            for name, section in news.items():
                self._sections[name] = (self._version, section)
            self._changed.notify_all()

    # ---- The other side: looks, and may be slow ----

    @property
    def ended(self) -> bool:
        """Whether there will be no more news."""
        return self._ended

    def section(self, name: str) -> Any:
        with self._changed:
            return self._sections.get(name, (0, None))[1]

    def wait(self, version: int, seconds: float) -> bool:
        """Waits for news after a version. Returns whether there is some, or the end."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._version > version or self._ended, timeout=seconds
            )

    def since(self, version: int) -> tuple[int, Fields]:
        """Returns the version of now, and the sections that are newer than `version`."""
        with self._changed:
            newer = {name: now for name, (at, now) in self._sections.items() if at > version}
            return self._version, newer


def as_json(sections: Fields) -> str:
    """Returns sections as one line. Numbers that JSON does not have become null."""
    return json.dumps(_finite(sections), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    """Returns what JSON can hold."""
    if isinstance(value, _Shown):
        return value.fields()
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _short(value: float) -> float:
    return float(f"{value:.5g}")


class _Shown:
    """A signal in pieces, which become one when somebody looks."""

    def __init__(self, pieces: tuple[Signal, ...]) -> None:
        self._pieces = pieces

    def fields(self) -> Fields:
        last, pieces = self._pieces[-1], self._pieces
        numbers = last.numbers
        if len(pieces) > 1:
            alike = [one.numbers for one in pieces if one.numbers.shape[1:] == numbers.shape[1:]]
            numbers = np.concatenate(alike)[-FRAMES:]
        wide = numbers.dtype.itemsize > 1
        stored = np.ascontiguousarray(numbers, "<i2" if wide else np.int8)
        return {
            **{key: now for key, now in vars(last).items() if key != "numbers"},
            "shape": list(stored.shape),
            "bits": 8 * stored.itemsize,
            "data": base64.b64encode(stored.tobytes()).decode(),
        }


class _Pace:
    """Steps a second, over the last half second or more. None at first: the steps of a run that
    goes on are told at once."""

    def __init__(self) -> None:
        self._at, self._done, self._pace = time.monotonic(), -1, math.nan

    def of(self, done: int) -> float | None:
        now = time.monotonic()
        if now - self._at >= _PACE_S:
            if self._done >= 0:
                self._pace = _short((done - self._done) / (now - self._at))
            self._at, self._done = now, done
        return None if math.isnan(self._pace) else self._pace
