"""The loop of live teaching: windows of a sensor, keys, buttons, and the view in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.cli.stopping import Stop
from tinyflash.data.collecting.feed import Feed
from tinyflash.data.collecting.recorder import frames_of
from tinyflash.data.dataset import Dataset
from tinyflash.data.samples import window_for
from tinyflash.errors import LinkError, warn
from tinyflash.graph import Port
from tinyflash.runtime.device.sensor import RemoteSensor
from tinyflash.runtime.reach import beyond_complaint, range_of
from tinyflash.runtime.session import Int8Array
from tinyflash.runtime.units import encode
from tinyflash.show.console import say
from tinyflash.show.lesson import Lesson, LessonView
from tinyflash.show.watch.presses import Presses
from tinyflash.training.live.course import SLIDING
from tinyflash.training.live.teaching import Teacher
from tinyflash.training.live.telling import LessonTeller
from tinyflash.training.samples import Source

END = "q"  # the key
MOST_KEYS = 9
_POLL_S = 0.03  # between two requests, when there is nothing more
_MOST_POLLS = 16  # until keys are read again, of a sensor that is faster than the line


class Eyes:
    """What the network sees of a sensor: windows as it reads them."""

    def __init__(self, sensor: RemoteSensor, port: Port, hop: int | None) -> None:
        self._frames = frames_of(sensor.info)
        as_set = Dataset(Path(f"the sensor {sensor.info.name}"), self._frames)
        window = window_for(as_set, port.shape[1:])
        self._port = Source(as_set.folder, dataset=as_set).units_for(port)
        self._window, self._hop = window, hop or max(1, window // 2)
        self.feed = Feed(sensor, self._window, self._hop)
        self._warned = False  # that the network reads other numbers

    def look(self) -> Int8Array | None:
        """Returns the newest window, if one has come; it is too late for those before it."""
        found = self.all()
        return found[-1] if found else None

    def all(self) -> list[Int8Array]:
        """Returns the windows that have come, in the order of time."""
        found: list[Numbers] = []
        for _ in range(_MOST_POLLS):
            found += self.feed.poll()
            if not self.feed.is_behind:
                break
        return [self._stored(one) for one in found]

    @property
    def windows(self) -> int | None:
        """How many windows the sensor gives at most; None: it does not end."""
        length = self.feed.progress.info.length
        return (length - self._window) // self._hop + 1 if length else None

    def _stored(self, window: Numbers) -> Int8Array:
        real = self._frames.real(window).astype(np.float32)
        beyond = None if self._warned else beyond_complaint(real[np.newaxis], range_of(self._port))
        if beyond is not None:
            self._warned = True
            warn(f"a window of the sensor: {beyond}")
        stored: Int8Array = encode(self._port, real[np.newaxis])[0]
        return stored


@dataclass
class Lessons:
    """The loop: windows, keys, presses on the page, the view."""

    teacher: Teacher
    eyes: Eyes
    classes: tuple[str, ...]
    stop: Stop
    typed: Callable[[], str]
    telling: LessonTeller
    presses: Presses
    is_over: bool = False

    def hold(self) -> LinkError | None:
        """Goes on until the user or the sensor ends it. Returns why the board does not answer."""
        info = self.eyes.feed.progress.info
        say(f"{info.name}: {info.rate:g} frames of {list(info.shape)} per second")
        view = LessonView(info.name, hint(self.classes))
        try:
            with view:
                while not (self.is_over or self.stop() or self.eyes.feed.is_over):
                    self._turn(view)
            with suppress(LinkError):
                self.eyes.feed.stop()
        except LinkError as error:
            return error
        return None

    def _turn(self, view: LessonView) -> None:
        x = self.eyes.look()
        if x is not None:
            self.telling.window(self.teacher.see(x))
        has_heard = self._listen()
        view.lesson = self._lesson()
        view.update(self.eyes.feed.progress)
        self.telling.teacher(self.teacher, tuple(view.lesson.counts))
        if x is None and not has_heard:
            time.sleep(_POLL_S)

    def _listen(self) -> bool:
        """Takes what was typed, and pressed on the page. Returns whether there was anything."""
        keys, presses = self.typed(), self.presses.take()
        for key in keys:
            self.is_over = self.is_over or key == END
            self.teacher.press(key)
        for press in presses:
            self.teacher.take(press)
        return bool(keys or presses)

    def _lesson(self) -> Lesson:
        teacher = self.teacher
        course, newest = teacher.course, teacher.newest
        counts = np.bincount([one.label for one in course.seen], minlength=len(self.classes))
        return Lesson(
            self.classes,
            [] if newest is None else newest.answer.probabilities.tolist(),
            counts.tolist(),
            teacher.windows,
            course.accuracy(),
            course.accuracy(SLIDING),
            min(SLIDING, len(course.seen)),
            teacher.learner.level,
            teacher.learner.counters().weights_saturated,
            teacher.note,
        )


def hint(classes: Sequence[str]) -> str:
    """Returns what the keys do."""
    named = [f"{number} {name}" for number, name in enumerate(classes[:MOST_KEYS], 1)]
    return f"{', '.join(named)}; {END} ends"
