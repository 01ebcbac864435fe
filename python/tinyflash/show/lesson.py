"""Live teaching in the terminal: the stream, what the network says, how well it has learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from tinyflash.data.collecting.recorder import Progress
from tinyflash.show.console import table
from tinyflash.show.live import LiveView

_BAR = 24  # columns of a probability of 1


@dataclass(frozen=True)
class Lesson:
    """classes: names; probabilities: of the newest window, none before it; counts: labels so far.
    accuracy, last: prequential, in percent, over all labelled windows and over the last ones;
    None: no label yet. drift: stable, warning or drift. saturated: updates of weights that were
    cut off."""

    classes: Sequence[str]
    probabilities: Sequence[float]
    counts: Sequence[int]
    windows: int
    accuracy: float | None
    last: float | None
    last_count: int
    drift: str
    saturated: int
    note: str


class LessonView(LiveView):
    """As the view of a recorded sensor, with what the network says below."""

    lesson: Lesson | None = None

    def picture(self, now: Progress, note: str) -> Group:
        above = super().picture(now, note)
        return above if self.lesson is None else Group(told(self.lesson), above)

    def _state(self, now: Progress) -> str:
        rate = now.next / now.seconds if now.seconds else 0.0
        lost = f", {now.lost:,} lost in {len(now.gaps)} gaps" if now.lost else ", none lost"
        return f"{now.kept:,} frames, {rate:.1f} per second{lost}"


def told(lesson: Lesson) -> Group:
    """Returns the classes with their probabilities, and a line on what was learned."""
    rows = table("The newest window", "key", "class", "", ">probability", ">labels")
    best = max(lesson.probabilities, default=0.0)
    for number, name in enumerate(lesson.classes):
        p = lesson.probabilities[number] if lesson.probabilities else 0.0
        style = "bold" if lesson.probabilities and p == best else ""
        key = str(number + 1) if number < 9 else ""
        bar = Text("█" * round(_BAR * p)).plain.ljust(_BAR)
        count = f"{lesson.counts[number]:,}"
        rows.add_row(key, Text(name), bar, f"{100 * p:.1f} %", count, style=style)
    return Group(rows, Text(_course(lesson)), Text(lesson.note))


def _course(lesson: Lesson) -> str:
    if lesson.accuracy is None or lesson.last is None:
        return f"{lesson.windows:,} windows; no label yet"
    return (
        f"{lesson.windows:,} windows; right before learning: {lesson.accuracy:.1f} % of "
        f"{sum(lesson.counts):,} labels, {lesson.last:.1f} % of the last {lesson.last_count}; "
        f"drift: {lesson.drift}; {lesson.saturated:,} updates saturated"
    )
