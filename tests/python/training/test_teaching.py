"""A person teaches by keys: what is learned from, what is asked, what the view says."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tests.support.learner import learner

from tinyflash.compiler import Compiled
from tinyflash.data.collecting.feed import Feed
from tinyflash.runtime.device.sensor import Packet, SensorInfo
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.show.lesson import Lesson, LessonView
from tinyflash.show.watch.presses import Press
from tinyflash.training.live.learner import Beginning, Learner, Settings
from tinyflash.training.live.teaching import Teacher

RATE = 0.05
CLASSES = ("sit", "walk", "run")
X = np.random.default_rng(4).integers(-60, 60, (40, 6, 6, 2)).astype(np.int8)


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return learner()


def teacher_of(compiled: Compiled, surprising: float = 0.0) -> Teacher:
    session = HostSession(compiled.program)
    taught = Learner(session, compiled.graph, Settings(RATE, surprising=surprising))
    taught.begin(Beginning(Learned.compiled(compiled.program)))
    return Teacher(taught, CLASSES)


def test_a_key_labels_the_newest_window_once(compiled: Compiled) -> None:
    teacher, plain, heard = teacher_of(compiled), HostSession(compiled.program), []
    teacher.learned = lambda window, one: heard.append((window, one))
    teacher.press("1")
    assert "no window yet" in teacher.note
    for number, x in enumerate(X):
        teacher.see(x)
        key = "x123400"[number % 7]  # x, 4 and 0 mean nothing
        teacher.press(key)
        if key in "123":
            plain.train_step(x, int(key) - 1, RATE)
            assert teacher.note.startswith(f"learned {CLASSES[int(key) - 1]}, loss ")
            teacher.press("2")
            assert "has a label already" in teacher.note
    assert teacher.learner.near.weights == plain.weights
    assert teacher.learner.near.state == plain.state
    assert [one.label for _, one in heard] == [one.label for one in teacher.seen]
    assert len(heard) == 18
    assert teacher.windows == len(X)
    hits = [one.predicted == one.label for one in teacher.seen]
    assert teacher.course.accuracy() == 100 * np.mean(hits)


@pytest.mark.parametrize(
    ("keys", "learned"),
    [("1y", [0]), ("1n", []), ("11", [0]), ("12y", [1]), ("1x1", [0]), ("1n2", []), ("1", [])],
)
def test_it_asks_before_it_learns_what_surprises(
    compiled: Compiled, keys: str, learned: list[int]
) -> None:
    """Of the window that was asked about, although others come meanwhile."""
    teacher, plain = teacher_of(compiled, surprising=1.1), HostSession(compiled.program)
    teacher.see(X[0])
    for key in keys:
        teacher.press(key)
        if key in "12" and teacher.asked is not None:
            assert f"{CLASSES[int(key) - 1]} surprises" in teacher.note
            teacher.see(X[1])
    for label in learned:
        plain.train_step(X[0], label, RATE)
    assert [one.label for one in teacher.seen] == learned
    assert all(one.surprising and one.learned for one in teacher.seen)
    assert teacher.learner.near.weights == plain.weights
    assert (teacher.asked is None) == (keys not in {"1", "1n2"})


def test_a_label_that_does_not_surprise_is_not_asked_about(compiled: Compiled) -> None:
    teacher = teacher_of(compiled, surprising=0.2)
    answer = teacher.see(X[0]).answer
    teacher.press(str(int(answer.probabilities.argmax()) + 1))
    assert teacher.asked is None
    assert len(teacher.seen) == 1


@pytest.mark.parametrize(
    ("presses", "learned"),
    [
        ([("label", 0, 0), ("answer", True, 1)], [0]),
        ([("label", 0, 0), ("answer", False, 1)], []),
        ([("label", 0, 0), ("label", 0, 1)], [0]),
        ([("label", 0, 0), ("label", 0, 0)], []),  # a double click has not seen the question
        ([("label", 0, 0), ("label", 1, 1), ("answer", True, 1)], []),  # that is question 2
        ([("label", 0, 0), ("label", 1, 1), ("answer", True, 2)], [1]),
        ([("answer", True, 0), ("answer", True, 1), ("label", 9, 0)], []),
    ],
)
def test_a_button_answers_only_the_question_that_its_page_shows(
    compiled: Compiled, presses: list[tuple[str, int, int]], learned: list[int]
) -> None:
    teacher = teacher_of(compiled, surprising=1.1)
    teacher.see(X[0])
    for what, value, asked in presses:
        is_label = what == "label"
        teacher.take(Press(value if is_label else None, None if is_label else bool(value), asked))
    assert [one.label for one in teacher.seen] == learned


def test_buttons_have_more_classes_than_there_are_keys(compiled: Compiled) -> None:
    teacher = teacher_of(compiled)
    teacher.classes = tuple("abcdefghijkl")
    teacher.see(X[0])
    teacher.press("0")
    assert teacher.note == ""
    teacher.take(Press(1, None, 0))
    assert teacher.note.startswith("learned b")


INFO = SensorInfo("s", (2,), 50.0, 0.5, ("a", "b"), ("g", "g"), 60, 9, True, 1, 0, 0, 0, 1000)


class Sensor:
    """Gives 60 frames, 7 at a time at most, of which 20 to 29 are lost."""

    info = INFO

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def start(self) -> SensorInfo:
        return INFO

    def stream(self, wanted: int, acknowledged: int) -> Packet:
        self.asked.append((wanted, acknowledged))
        first = 30 if 20 <= wanted < 30 else wanted
        last = min(first + 7, 20 if first < 20 else 60)
        numbers = np.arange(first, last)
        frames = np.stack([numbers, -numbers], 1).astype(np.int16)
        return Packet(first, frames, last, 10 if first >= 30 else 0, last / 50)


def test_a_feed_gives_windows_without_gaps() -> None:
    sensor = Sensor()
    feed, found = Feed(sensor, 8, 4), []  # type: ignore[arg-type]
    while not feed.is_over:
        found += feed.poll()
    assert [window[0, 0] for window in found] == [0, 4, 8, 12, *range(30, 53, 4)]
    assert all((np.diff(window[:, 0]) == 1).all() for window in found)
    now = feed.progress
    assert (now.gaps, now.lost, now.lost_by_board, now.kept) == ([(20, 30)], 10, 10, 50)
    assert sensor.asked[:2] == [(0, 0), (7, 7)]


def shown(lesson: Lesson) -> str:
    view = LessonView("waist", "1 sit; q ends")
    view.lesson = lesson
    to = io.StringIO()
    now = Feed(Sensor(), 8, 4).progress  # type: ignore[arg-type]
    view._keep(now)
    view._keep(replace(now, newest=np.ones((3, 2), np.int16)))
    Console(file=to, width=100).print(view.picture(now, ""))
    return to.getvalue()


def test_the_view_says_what_the_network_says() -> None:
    lesson = Lesson(CLASSES, [0.75, 0.25, 0.0], [2, 0, 1], 9, 66.7, 50.0, 2, "stable", 4, "learned")
    said = shown(lesson)
    (sit,) = (line for line in said.splitlines() if " sit " in line)
    assert sit.split()[:2] == ["1", "sit"]
    assert sit.count("█") == 18
    assert "75.0 %" in sit
    assert "66.7 % of 3 labels, 50.0 % of the last 2; drift: stable; 4 updates" in " ".join(
        said.split()
    )
    assert "1 sit; q ends" in said
    before = shown(replace(lesson, probabilities=[], counts=[0, 0, 0], accuracy=None, last=None))
    assert "9 windows; no label yet" in before
    assert "█" not in before.split("channel")[0]
