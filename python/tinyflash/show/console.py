"""The terminal: prints results as tables to standard output, and progress to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol, TextIO

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

PIPE_WIDTH = 160  # columns of the widest table
# Set while a command runs with --quiet: prints no progress.
QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
SMOOTHING = 0.05  # weight of the newest step in the running loss and accuracy


class _Expendable:
    """A stream of progress. If its terminal or pipe is gone, so is what is printed: no reason to
    lose what a run has learned."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Step(Protocol):
    """The values of one training step, counted from 0, that a progress bar shows."""

    @property
    def number(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def correct(self) -> bool | None: ...  # None: no label


def output(stderr: bool = False, markup: bool = True) -> Console:
    """Returns a console on the current standard output or error (tests and pipes replace them).

    markup: without it, brackets are printed as they are, as in names that a user chose.
    """
    file: Any = _Expendable(sys.stderr) if stderr else None
    console = Console(file=file, highlight=False, markup=markup)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def say(text: str) -> None:
    """Prints a line of progress. Brackets, as in file names, are not markup."""
    if not QUIET.get():
        tell(text)


def tell(text: str) -> None:
    """Prints a line that --quiet leaves, too: what a command did, or left, that its user may not
    expect."""
    output(stderr=True).print(text, markup=False, soft_wrap=True)  # so that names can be copied


class Clock:
    """Says what begins, and the time since this clock was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def elapsed(self) -> str:
        """Returns minutes and seconds."""
        seconds = round(time.monotonic() - self._start)
        return f"{seconds // 60}:{seconds % 60:02}"

    def say(self, text: str) -> None:
        """Prints a line of progress with the time."""
        say(f"{self.elapsed()} {text}")


def table(title: str, *columns: str) -> Table:
    """Returns an empty table. A '>' before a column's name aligns the column to the right."""
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
        disable=QUIET.get(),
    ) as progress:
        yield progress, progress.add_task(text, total=total, note="")


@contextmanager
def counting(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar. Call the yielded function with the number done."""
    with _bar(text, total) as (progress, task):
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def noting(text: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Shows a progress bar with a note. Call the yielded function with the number done and the
    note."""
    with _bar(text, total) as (progress, task):
        yield lambda done, note: progress.update(task, completed=done, note=note)


@contextmanager
def watching(text: str, total: int) -> Iterator[Callable[[Step], None]]:
    """Shows a progress bar with running loss and accuracy. Call the yielded function with each
    step."""
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
    """An exponential mean that gives the first values full weight."""

    def __init__(self) -> None:
        self.sum = self.weight = 0.0

    def add(self, value: float) -> float:
        """Adds the newest value, and returns the mean."""
        self.sum += SMOOTHING * (value - self.sum)
        self.weight += SMOOTHING * (1.0 - self.weight)
        return self.sum / self.weight
