"""The terminal: results as tables on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160  # no table is wider
SMOOTHING = 0.05  # weight of the newest step in the running loss and accuracy


class Step(Protocol):
    """What a progress bar shows of one training step, counted from 0."""

    @property
    def number(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def correct(self) -> bool | None: ...  # None: the step had no label


def output(stderr: bool = False) -> Console:
    """Standard output, or standard error, as it is now (tests and pipes replace them)."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def say(text: str) -> None:
    """A line of progress; brackets in it, as of file names, are no markup."""
    output(stderr=True).print(text, markup=False)


def table(title: str, *columns: str) -> Table:
    """An empty table; a column whose name starts with '>' is aligned to the right."""
    new = Table(
        title=Text(title),
        box=SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
    )
    for column in columns:
        right = column.startswith(">")
        new.add_column(column.lstrip(">"), justify="right" if right else "left")
    return new


@contextmanager
def _bar(text: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    with Progress(  # fits 80 columns
        TextColumn("{task.description:<30}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=output(stderr=True),
    ) as progress:
        yield progress, progress.add_task(text, total=total, note="")


@contextmanager
def counting(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar; call what it yields with the number that is done."""
    with _bar(text, total) as (progress, task):
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def noting(text: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar with a note; call what it yields with the number that is done and the note."""
    with _bar(text, total) as (progress, task):
        yield lambda done, note: progress.update(task, completed=done, note=note)


@contextmanager
def watching(text: str, total: int) -> Iterator[Callable[[Step], None]]:
    """A progress bar with running loss and accuracy; call what it yields with each step."""
    with _bar(text, total) as (progress, task):
        loss, accuracy = Smooth(), Smooth()

        def listen(step: Step) -> None:
            mean = loss.add(step.loss)
            if step.correct is None:
                note = f"loss {mean:.3g}"
            else:
                note = f"loss {mean:.2f} acc. {accuracy.add(100.0 * step.correct):.0f} %"
            progress.update(task, completed=step.number + 1, note=note)

        yield listen


class Smooth:
    """An exponential mean that counts the first values fully."""

    def __init__(self) -> None:
        self.sum = self.weight = 0.0

    def add(self, value: float) -> float:
        """The mean with `value` as the newest."""
        self.sum += SMOOTHING * (value - self.sum)
        self.weight += SMOOTHING * (1.0 - self.weight)
        return self.sum / self.weight
