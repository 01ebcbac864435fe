"""Learns window by window in a session, and beside it on this computer, to the same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tinyflash.errors import LinkError
from tinyflash.graph import Graph
from tinyflash.runtime.guard import GuardMemory, GuardReport
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.replay import Kept
from tinyflash.runtime.session import Counters, Int8Array, Session
from tinyflash.training.groups import complete_group
from tinyflash.training.live.course import Seen
from tinyflash.training.live.drift import Ddm, Level
from tinyflash.training.loop import LEAST_PROBABILITY
from tinyflash.training.questions import probabilities
from tinyflash.training.samples import Samples
from tinyflash.training.scores import Reals

SURPRISING = 0.05


@dataclass(frozen=True)
class Settings:
    """How to learn from a stream.

    slots, repeats: of the replay buffer; 0 slots: none. surprising: a label with a probability
    below this surprises. skips: windows with such a label are not learned from, unless someone says
    otherwise. guard_every, guard_tolerance: of a guard, if there is one.
    """

    rate: float
    slots: int = 0
    repeats: int = 1
    surprising: float = SURPRISING
    skips: bool = False
    guard_every: int = 50
    guard_tolerance: int = 1


@dataclass(frozen=True)
class Answer:
    """What the network says of a window, before it learns from it. probabilities: [classes]."""

    probabilities: Reals

    @property
    def predicted(self) -> int:
        return int(self.probabilities.argmax())

    def loss(self, label: int) -> float:
        """Returns the cross-entropy of a label, in nats."""
        return -math.log(max(float(self.probabilities[label]), LEAST_PROBABILITY))


@dataclass(frozen=True)
class Beginning:
    """What a learner starts with: weights and state, the buffer's memory, and what the guard
    remembers of a run that goes on. held_out: the guard's samples."""

    learned: Learned
    memory: bytes | None = None
    held_out: Samples | None = None
    guard: GuardMemory | None = None


@dataclass
class Learner:
    """Learns in `session`. If that is a board, `twin`, a session on this computer, takes each step
    that the board has answered: when the board is unplugged, nothing that it learned is lost.

    Raises LinkError if the two differ, since then one of them is broken.
    """

    session: Session
    graph: Graph
    settings: Settings
    twin: HostSession | None = None
    ddm: Ddm = field(default_factory=Ddm)
    steps: int = 0  # windows learned from
    guarded: bool = False
    ready: bool = False  # it has begun
    start: bytes = b""  # the weights that it began with

    def begin(self, start: Beginning) -> None:
        self.start = start.learned.weights
        for session in self.sessions:
            self._begin(session, start)
        self.ready = True

    def _begin(self, session: Session, start: Beginning) -> None:
        settings = self.settings
        session.reset()  # also a board that an earlier host left half written
        start.learned.restore(session)
        if start.memory is not None:
            session.start_replay(start.memory, settings.slots, settings.repeats)
        if start.held_out is not None:
            x, y = start.held_out.x, start.held_out.labels
            every, tolerance = settings.guard_every, settings.guard_tolerance
            self.guarded = True
            if start.guard is None:
                session.start_guard(x, y, every, tolerance)
            else:
                session.resume_guard(x, y, every, tolerance, start.guard)

    def answer(self, x: Int8Array) -> Answer:
        """Classifies a window."""
        output = self.session.infer(x)
        return Answer(probabilities(self.graph, output[np.newaxis])[0])

    def see(
        self, x: Int8Array, label: int, ask: Callable[[Answer], bool] | None = None
    ) -> tuple[Answer, Seen]:
        """Classifies a window, then learns from it. ask: whether to learn from one whose label
        surprises; None: what the settings say."""
        answer = self.answer(x)
        return answer, self.learn(x, label, answer, ask)

    def learn(
        self, x: Int8Array, label: int, answer: Answer, ask: Callable[[Answer], bool] | None = None
    ) -> Seen:
        """Learns from a window that has been classified."""
        surprising = bool(answer.probabilities[label] < self.settings.surprising)
        learned = not surprising or (ask(answer) if ask else not self.settings.skips)
        if learned:
            self._step(x, label)
        self.ddm.add(answer.predicted != label)
        return Seen(label, answer.predicted, answer.loss(label), surprising, learned)

    def _step(self, x: Int8Array, label: int) -> None:
        outcome = self.session.train_step(x, label, self.settings.rate)
        self.steps += 1
        if self.twin is not None and self.twin.train_step(x, label, self.settings.rate) != outcome:
            raise LinkError(
                f"the board and this computer differ after {self.steps:,} training steps; reset "
                "it, or rebuild and flash its firmware"
            )

    @property
    def level(self) -> Level:
        return self.ddm.level

    @property
    def near(self) -> Session:
        """A session on this computer with what has been learned."""
        return self.session if self.twin is None else self.twin

    @property
    def sessions(self) -> tuple[Session, ...]:
        return (self.session,) if self.twin is None else (self.session, self.twin)

    def complete(self, samples: Samples, accumulate: int) -> None:
        """Applies the last samples, if they are fewer than an update takes; replays none."""
        for session in self.sessions:
            memory = session.replay_memory() if self.settings.slots else None
            session.stop_replay()
            complete_group(session, samples, accumulate)
            if memory is not None:
                session.start_replay(memory, self.settings.slots, self.settings.repeats)

    def check(self) -> None:
        """Raises LinkError if the board has learned other bytes than this computer."""
        if self.twin is not None and (
            (self.twin.weights, self.twin.state) != (self.session.weights, self.session.state)
            or (self.settings.slots and self.twin.replay_memory() != self.session.replay_memory())
        ):
            raise LinkError(
                "the board has learned other bytes than this computer; rebuild and flash its "
                "firmware"
            )

    def finish(self) -> GuardReport | None:
        """Ends the guard, if there is one, with its best weights. Returns its report."""
        if not self.guarded:
            return None
        reports = [session.finish_guard() for session in self.sessions]
        self.guarded = False
        return reports[0]

    def kept(self) -> Ending:
        """Returns what has been learned so far, from this computer: no board is asked."""
        session, guard = self.near, None
        if self.guarded:
            waited = self.steps % self.settings.guard_every
            guard = GuardMemory(session.guard_report(), waited, session.guard_snapshot())
        memory = session.replay_memory() if self.settings.slots else None
        return Ending(session.weights, session.state, memory, guard)

    def counters(self) -> Counters:
        return self.near.counters()

    def buffer(self, classes: int) -> Kept | None:
        """Returns what the replay buffer holds."""
        if not self.settings.slots:
            return None
        return Kept.of(self.near.replay_memory(), classes, self.settings.slots)


@dataclass(frozen=True)
class Ending:
    """What a learner leaves: weights, state, the memory of the buffer and that of the guard."""

    weights: bytes
    state: bytes
    memory: bytes | None
    guard: GuardMemory | None
