"""A person teaches: keys and buttons label the newest window of a stream, and the network learns
from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tinyflash.runtime.session import Counters, Int8Array
from tinyflash.show.watch.presses import Press
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
    """Learns from keys and buttons. classes: names; keys 1 to 9 choose the first of them. learned:
    is called after each window that a label was given to.

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
    questions: int = 0  # so far
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
        if key in (YES, NO):
            self._answer(key == YES)
        elif key.isdecimal() and 0 < int(key) <= len(self.classes):
            self._label(int(key) - 1)

    def take(self, press: Press) -> None:
        """Takes a button of a page that may not know the newest question yet."""
        if press.asked != self.question:
            return
        if press.answer is not None:
            self._answer(press.answer)
        elif press.label is not None and press.label < len(self.classes):
            self._label(press.label)

    @property
    def question(self) -> int:
        """The number of the question that waits for an answer; 0: none does."""
        return 0 if self.asked is None else self.questions

    def _label(self, label: int) -> None:
        """Of a question: the same label again confirms it, another one replaces it."""
        if self.asked is not None:
            window, other = self.asked
            if label == other:
                self._answer(True)
            else:
                self.asked = None
                self._take(window, label)
        elif self.newest is None:
            self.note = "there is no window yet"
        elif not self._is_open:
            self.note = "this window has a label already; wait for the next one"
        else:
            self._is_open = False
            self._take(self.newest, label)

    def _answer(self, is_right: bool) -> None:
        if self.asked is None:
            return
        window, label = self.asked
        self.asked = None
        if is_right:
            self._learn(window, label)
        else:
            self.note = f"{self.classes[label]}: not learned from"

    def _take(self, window: Window, label: int) -> None:
        p = float(window.answer.probabilities[label])
        if p >= self.learner.settings.surprising:
            self._learn(window, label)
            return
        self.asked, self.questions = (window, label), self.questions + 1
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
