"""Learns without labels what is normal here, then tells what is not (SPEC 13).

An autoencoder learns from the first windows of a stream, in which all is well. The next ones, which
it has not learned from, set the threshold. From then on each window is normal or abnormal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tinyflash.errors import DataError, LinkError
from tinyflash.graph import Port
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import MOST_RANKS, Held, is_abnormal, score_of, threshold_of
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.session import Int8Array, Session
from tinyflash.training.groups import complete_group
from tinyflash.training.samples import Samples
from tinyflash.training.targets import Objective, real_inputs

Phase = Literal["learns", "sets the threshold", "watches"]


@dataclass(frozen=True)
class Course:
    """learn: windows to learn from. hold: those that set the threshold, which is their rank-th
    largest score. accumulate: samples per update. Raises DataError for what cannot be."""

    learn: int
    hold: int
    rank: int
    rate: float
    accumulate: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= min(MOST_RANKS, self.hold):
            raise DataError(
                f"the threshold cannot be number {self.rank} of {self.hold} scores; it is 1 to "
                f"{MOST_RANKS}, and not above the windows that set it"
            )


@dataclass(frozen=True)
class Verdict:
    """score: before the network learned from the window. abnormal: None before the threshold."""

    phase: Phase
    score: int
    abnormal: bool | None = None


@dataclass
class Watchman:
    """Sees a stream in `session`. If that is a board, `near`, on this computer, takes each step
    that the board has answered. objective, port: how targets and inputs are stored."""

    session: Session
    near: HostSession
    program: Program
    objective: Objective
    port: Port
    course: Course
    seen: list[Verdict] = field(default_factory=list)
    _held: Held = field(default_factory=Held)

    def see(self, x: Int8Array) -> Verdict:
        """Raises LinkError if the board does not answer, or has another answer than `near`."""
        target = own_targets(self.objective, self.port, x[np.newaxis])[0]
        score = score_of(self.session.infer(x), target)
        verdict = self._next(x, target, score)
        self.seen.append(verdict)
        return verdict

    def _next(self, x: Int8Array, target: Int8Array, score: int) -> Verdict:
        learn, hold, done = self.course.learn, self.course.hold, len(self.seen)
        if done < learn:
            self._learn(x, target, score)
            return Verdict("learns", score)
        if done < learn + hold:
            self._held.hold(score)
            if self._held.count == hold:
                self._set()
            return Verdict("sets the threshold", score)
        return Verdict("watches", score, is_abnormal(self.near, score))

    def _learn(self, x: Int8Array, target: Int8Array, score: int) -> None:
        rate, last = self.course.rate, len(self.seen) + 1 == self.course.learn
        for session in self._sessions:
            if session.train_on_target(x, target, rate).error != score:
                raise LinkError(_DIFFER)
            if last and self.course.accumulate > 1:
                pair = Samples(x[np.newaxis], target[np.newaxis])
                complete_group(session, pair, self.course.accumulate)

    def _set(self) -> None:
        """Sets the threshold here, and gives the board the same bytes."""
        if self.session is not self.near:
            here, there = ((s.weights, s.state) for s in (self.near, self.session))
            if here != there:
                raise LinkError(_DIFFER)
        self._held.set(self.course.rank, self.near)
        if self.session is not self.near:
            self.learned.restore(self.session)

    @property
    def _sessions(self) -> tuple[Session, ...]:
        return (self.session,) if self.session is self.near else (self.session, self.near)

    @property
    def threshold(self) -> int:
        """0: not yet."""
        return threshold_of(self.near)

    @property
    def learned(self) -> Learned:
        return Learned(self.program.hash, self.near.weights, self.near.state)


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
