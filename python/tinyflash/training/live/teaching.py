"""A person teaches: keys label the newest window of a stream, and the network learns from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tinyflash.runtime.session import Counters, Int8Array
from tinyflash.training.live.course import Course, Seen
from tinyflash.training.live.learner import Answer, Learner

YES, NO = "y", "n"  # keys


@dataclass(frozen=True)
class Window:
    """A window of the stream, and what the network says of it."""

    x: Int8Array
    answer: Answer


@dataclass
class Teacher:
    """Learns from keys. classes: names that keys 1 to 9 choose. learned: is called after each
    window that a label was given to.

    A window is learned from once. A label that surprises is learned from only when it is confirmed;
    one that is not confirmed counts nowhere, since it may be a slip of the finger.
    """

    learner: Learner
    classes: tuple[str, ...]
    learned: Callable[[Window, Seen], object] = lambda _window, _seen: None
    note: str = ""
    windows: int = 0
    newest: Window | None = None
    asked: tuple[Window, int] | None = None  # a window, and the label that surprises
    seen: list[Seen] = field(default_factory=list)
    labelled: list[tuple[Window, int]] = field(default_factory=list)
    counters: list[Counters] = field(default_factory=list)
    _is_open: bool = False  # the newest window has no label yet

    def see(self, x: Int8Array) -> Window:
        """Classifies the newest window. Raises LinkError, as `press` does."""
        self.newest = Window(x, self.learner.answer(x))
        self.windows, self._is_open = self.windows + 1, True
        return self.newest

    def press(self, key: str) -> None:
        """Takes a key: a label for the newest window, or an answer to a question."""
        if self.asked is not None:
            self._answer(key, *self.asked)
        elif (label := self._label(key)) is None:
            return
        elif self.newest is None:
            self.note = "there is no window yet"
        elif not self._is_open:
            self.note = "this window has a label already; wait for the next one"
        else:
            self._is_open = False
            self._take(self.newest, label)

    def _label(self, key: str) -> int | None:
        is_one = key.isdecimal() and 0 < int(key) <= len(self.classes)
        return int(key) - 1 if is_one else None

    def _answer(self, key: str, window: Window, label: int) -> None:
        """Of a question: the same label again confirms it, another one replaces it."""
        other = self._label(key)
        if key == YES or other == label:
            self.asked = None
            self._learn(window, label)
        elif key == NO:
            self.asked, self.note = None, f"{self.classes[label]}: not learned from"
        elif other is not None:
            self.asked = None
            self._take(window, other)

    def _take(self, window: Window, label: int) -> None:
        p = float(window.answer.probabilities[label])
        if p >= self.learner.settings.surprising:
            self._learn(window, label)
            return
        self.asked = window, label
        self.note = (
            f"{self.classes[label]} surprises: the network gives it {100 * p:.1f} %, a loss of "
            f"{window.answer.loss(label):.1f}; {YES} learns, {NO} does not"
        )

    def _learn(self, window: Window, label: int) -> None:
        # When the link breaks in this step, this computer has not taken it either.
        one = self.learner.learn(window.x, label, window.answer, ask=lambda _answer: True)
        self.seen.append(one)
        self.labelled.append((window, label))
        self.counters.append(self.learner.counters())
        self.note = f"learned {self.classes[label]}, loss {one.loss:.2f} before"
        self.learned(window, one)

    @property
    def course(self) -> Course:
        return Course(tuple(self.seen))
