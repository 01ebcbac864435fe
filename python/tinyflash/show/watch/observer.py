"""What a running command tells those who watch it: one method for each kind of news.

A command calls them whether anybody watches or not. So each returns at once: it keeps what it was
given, never waits for a browser, and looks at no array. An array that is given must not change
afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

Numbers = npt.NDArray[Any]  # int8 or int16

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
SILENT = "silent"  # it has neither ended nor any news


class Step(Protocol):
    """One training step, counted from 0, before its update."""

    @property
    def number(self) -> int: ...

    @property
    def of(self) -> int: ...  # 0: without an end

    @property
    def loss(self) -> float: ...

    @property
    def correct(self) -> bool | None: ...  # None: no label


@dataclass(frozen=True)
class About:
    """What is running: a command, a model or a set, and on which board."""

    command: str
    title: str
    board: str = "host"
    hash: str = ""  # of the model
    classes: tuple[str, ...] = ()  # names, by label


@dataclass(frozen=True)
class Signal:
    """Stored numbers: frames [n][channels], or a picture [rows][columns][1 or 3].

    A number n is n * scale + offset in units. rate: frames a second; 0: unknown. text: what they
    are.
    """

    numbers: Numbers
    channels: tuple[str, ...] = ()
    rate: float = 0.0
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    text: str = ""


@dataclass(frozen=True)
class Score:
    """Held-out samples after `done` steps: accuracy in percent, or loss.

    confusion: samples by label and answer, [label][answer]; None: not of classes, or too many.
    what: which samples.
    """

    done: int
    score: float
    measure: str = "accuracy"
    samples: int = 0
    confusion: list[list[int]] | None = None
    what: str = "held-out samples"


@dataclass(frozen=True)
class Layer:
    """What training has changed in a layer.

    change: mean distance of its trained int8 weights from where the run began, in steps of int8.
    at_limit: share of them at +-127.
    """

    name: str
    change: float
    at_limit: float
    weights: int


@dataclass(frozen=True)
class Gradients:
    """Gradients of a stretch of steps: each tensor's exponent, and what saturated in parts per
    million (docs/tutorial.md, "What the counters mean")."""

    done: int
    names: tuple[str, ...]
    exponents: tuple[int, ...]
    gradients_ppm: float
    weights_ppm: float
    skipped_percent: float


@dataclass(frozen=True)
class Teaching:
    """A person labels. counts: labels so far, of each class. text: what a label is for. note: what
    became of the last one. asked: the number of a question about a label that surprises, which
    waits for an answer; 0: none. takes: whether buttons of the page reach the command."""

    counts: tuple[int, ...]
    text: str = ""
    note: str = ""
    asked: int = 0
    takes: bool = True


class Observer:
    """Hears all news, and does nothing."""

    def begin(self, about: About) -> None:
        """A command has begun."""

    def step(self, step: Step) -> None:
        """A training step is done."""

    def score(self, score: Score) -> None:
        """Held-out samples were evaluated."""

    def layers(self, done: int, layers: Sequence[Layer]) -> None:
        """The weights after `done` steps were read."""

    def gradients(self, gradients: Gradients) -> None:
        """The counters of the training were read."""

    def signal(self, signal: Signal) -> None:
        """This is what the network reads: one sample, in place of the one before."""

    def frames(self, signal: Signal) -> None:
        """These frames of a stream follow those before."""

    def probabilities(self, values: Sequence[float], text: str, label: int | None = None) -> None:
        """How the network answers: a probability for each class. text: of what. label: the right
        one, if it is known."""

    def counters(self, values: Mapping[str, int | float | str]) -> None:
        """Counters by name, such as those of the link; they replace those of the same names."""

    def teaching(self, teaching: Teaching) -> None:
        """A person has labelled, or may."""

    def end(self, how: str) -> None:
        """The command ends: FINISHED, STOPPED by its user, or FAILED."""


NOBODY = Observer()
Fields = dict[str, Any]
