"""Learns without labels what is normal here, then tells what is not (SPEC 13).

An autoencoder learns from the first windows of a stream, in which all is well. The next ones, which
it has not learned from, set the threshold. From then on each window is normal or abnormal. A board
scores and judges by itself; this computer does the same beside it, and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from tinyflash.errors import DataError, LinkError
from tinyflash.graph import Port
from tinyflash.program import Program
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import HostJudge, threshold_of
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.normal import MOST_RANKS, HeldScores, Judge, check_rank
from tinyflash.runtime.session import Int8Array, Session
from tinyflash.training.groups import complete_group
from tinyflash.training.samples import Samples
from tinyflash.training.targets import Objective, real_inputs

Phase = Literal["learns", "sets the threshold", "watches"]
PHASES: tuple[Phase, ...] = ("learns", "sets the threshold", "watches")
T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """learn: windows to learn from. hold: those that set the threshold, which is their rank-th
    largest score; without both, there is a threshold already. accumulate: samples per update.
    Raises DataError for what cannot be."""

    learn: int
    hold: int
    rank: int
    rate: float
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.learn or self.hold:
            check_rank(self.rank, self.hold)

    @property
    def windows(self) -> int:
        """Those until the threshold is set."""
        return self.learn + self.hold


@dataclass(frozen=True)
class Verdict:
    """score: before the network learned from the window. abnormal: None before the threshold."""

    phase: Phase
    score: int
    abnormal: bool | None = None


@dataclass
class Watchman:
    """Sees a stream in `session`. If that is a board, `near`, on this computer, takes each step
    that the board has answered. objective, port: how targets and inputs are stored.

    Raises LinkError if the board does not answer, or has another answer than `near`.
    """

    session: Session
    near: HostSession
    program: Program
    objective: Objective
    port: Port
    course: Course
    seen: list[Verdict] = field(default_factory=list)
    _judges: tuple[Judge, ...] = ()

    def __post_init__(self) -> None:
        self._judges = tuple(judge_of(session) for session in self._sessions)

    def begin(self, learned: Learned, seen: list[Verdict]) -> None:
        """Begins with what was learned before, or goes on after the windows `seen`."""
        for session in self._sessions:
            session.reset()  # also a board that an earlier host left half written
            learned.restore(session)
        self.seen = seen
        self._both(lambda judge: judge.resume(held_of(seen)).held)

    def adopt(self) -> None:
        """Begins with what the board has learned, and its threshold; not with scores that a board
        which was not switched off still holds."""
        self.near.weights, self.near.state = self.session.weights, self.session.state
        self._both(lambda judge: judge.resume().held)

    def see(self, x: Int8Array) -> Verdict:
        target = own_targets(self.objective, self.port, x[np.newaxis])[0]
        verdict = self._next(x, target)
        self.seen.append(verdict)
        return verdict

    def _next(self, x: Int8Array, target: Int8Array) -> Verdict:
        course, done = self.course, len(self.seen)
        if done < course.learn:
            return Verdict("learns", self._learn(x, target))
        if done == course.learn:
            self._complete(x, target)
        found = self._both(lambda judge: judge.score(x, target))
        if done >= course.windows:
            return Verdict("watches", found.score, found.abnormal)
        self._both(lambda judge: judge.hold())
        if done + 1 == course.windows:
            self._set()
        return Verdict("sets the threshold", found.score)

    def _learn(self, x: Int8Array, target: Int8Array) -> int:
        """The score is the error of the training step, before its update."""
        rate = self.course.rate
        return _same([s.train_on_target(x, target, rate).error for s in self._sessions])

    def _complete(self, x: Int8Array, target: Int8Array) -> None:
        """Applies the last samples, if they are fewer than an update takes."""
        pair = Samples(x[np.newaxis], target[np.newaxis])
        for session in self._sessions if self.course.accumulate > 1 else ():
            complete_group(session, pair, self.course.accumulate)

    def _set(self) -> None:
        """Each sets its threshold: they have seen and learned the same."""
        self.check()
        self._both(lambda judge: judge.set(self.course.rank))
        self.check()

    def check(self) -> None:
        """Raises LinkError if the board has other bytes than this computer."""
        _same([(session.weights, session.state) for session in self._sessions])

    def _both(self, act: Callable[[Judge], T]) -> T:
        """Returns the board's answer; this computer has the same."""
        return _same([act(judge) for judge in self._judges])

    @property
    def _sessions(self) -> tuple[Session, ...]:
        return (self.session,) if self.session is self.near else (self.session, self.near)

    @property
    def phase(self) -> Phase:
        """Of the next window."""
        done, course = len(self.seen), self.course
        return PHASES[(done >= course.learn) + (done >= course.windows)]

    @property
    def threshold(self) -> int:
        """0: not yet."""
        return threshold_of(self.near)

    @property
    def learned(self) -> Learned:
        return Learned(self.program.hash, self.near.weights, self.near.state)


def judge_of(session: Session) -> Judge:
    if isinstance(session, DeviceSession):
        return session.judge()
    assert isinstance(session, HostSession)
    return HostJudge(session)


def held_of(seen: list[Verdict]) -> HeldScores:
    """Returns what the windows that set the threshold leave in a judge."""
    scores = sorted((v.score for v in seen if v.phase == "sets the threshold"), reverse=True)
    largest = (*scores, *(0,) * MOST_RANKS)[:MOST_RANKS]
    return HeldScores(len(scores), largest)


def _same(answers: list[T]) -> T:
    if any(answer != answers[0] for answer in answers):
        raise LinkError(_DIFFER)
    return answers[0]


_DIFFER = "the board and this computer differ; reset it, or rebuild and flash its firmware"


def own_targets(objective: Objective, port: Port, x: Int8Array) -> Int8Array:
    """Returns samples x [n, ...] as their own targets, [n, outputs]; what the output cannot hold is
    cut off. Raises DataError if the network is no autoencoder with the mean squared error."""
    real = real_inputs(port, x)
    if real.shape[1] != objective.size or objective.loss != "mean_squared_error":
        raise DataError(
            "what is normal is learned by an autoencoder: its output has the size of its input, "
            'and the scheme says loss = "mean_squared_error"'
        )
    return objective.encode(np.clip(real, *objective.range))
