"""The guard on the host: to the letter of SPEC 9, and never worse than before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Net, same
from tests.support.learner import learner, learner_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError, TinyflashError
from tinyflash.runtime.guard import GuardCost, GuardMemory, Score
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.state import pack, unpack
from tinyflash.training.samples import Samples

ABSURD = 90.0


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return learner()


def clusters(count: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.integers(-60, 60, (count, 6, 6, 2)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


TRAIN, HELD_OUT = clusters(60, 1), clusters(11, 2)


def score(session: HostSession) -> Score:
    """SPEC 9.1, word for word."""
    correct = margin = 0
    for x, label in zip(HELD_OUT.x, HELD_OUT.y.tolist(), strict=True):
        y = session.infer(x).tolist()
        others = y[:label] + y[label + 1 :]
        correct += all(v < y[label] for v in y[:label]) and all(v <= y[label] for v in y[label:])
        margin += y[label] - max(others)
    return Score(correct, margin)


class ByHand:
    """SPEC 9.2 and 9.3 around a session that has no guard."""

    def __init__(self, session: HostSession, every: int, tolerance: int) -> None:
        self.session, self.every, self.tolerance = session, every, tolerance
        self.rollbacks = self.waited = 0
        self.best = score(session)
        self.keep()

    def keep(self) -> None:
        self.weights = self.session.weights
        self.gains = [scale.gain for scale in unpack(self.session.state)[1]]

    def go_back(self) -> None:
        header, scales = unpack(self.session.state)
        changed = zip(scales, self.gains, strict=True)
        state = pack(header, [s._replace(gain=gain) for s, gain in changed])
        self.session.weights, self.session.state = self.weights, state

    def watch(self) -> None:
        self.waited += 1
        if self.waited < self.every:
            return
        self.waited = 0
        now = score(self.session)
        if now > self.best:
            self.best = now
            self.keep()
        elif self.best.correct - now.correct > self.tolerance:
            self.go_back()
            self.rollbacks += 1

    def finish(self) -> None:
        if (self.best if self.waited == 0 else score(self.session)) < self.best:
            self.go_back()


@pytest.mark.parametrize("rate", [0.02, 0.3, ABSURD])
@pytest.mark.parametrize(("every", "tolerance"), [(1, 0), (7, 0), (7, 2), (60, 0), (100, 0)])
def test_it_does_what_the_specification_says(
    compiled: Compiled, rate: float, every: int, tolerance: int
) -> None:
    session, plain = HostSession(compiled.program), HostSession(compiled.program)
    session.start_guard(HELD_OUT.x, HELD_OUT.y, every, tolerance)
    by_hand = ByHand(plain, every, tolerance)
    for x, label in zip(TRAIN.x, TRAIN.y.tolist(), strict=True):
        session.train_step(x, label, rate)
        plain.train_step(x, label, rate)
        by_hand.watch()
        assert session.weights == plain.weights
    report = session.guard_report()
    assert (report.best, report.rollbacks) == (by_hand.best, by_hand.rollbacks)
    assert report.evaluations == 1 + 60 // every
    session.finish_guard()
    by_hand.finish()
    assert (session.weights, session.state) == (plain.weights, plain.state)
    assert session.counters().step == 60
    assert score(session) >= by_hand.best


@pytest.fixture
def trained(compiled: Compiled) -> HostSession:
    """Knows the task."""
    session = HostSession(compiled.program)
    session.set_schedule(Schedule("cosine", 0.05, 300))
    for _ in range(5):
        train(session)
    assert score(session).correct >= 10
    return session


def train(session: HostSession, rate: float | None = None) -> None:
    for x, label in zip(TRAIN.x, TRAIN.y.tolist(), strict=True):
        session.train_step(x, label, rate)


def test_a_rate_that_destroys_ends_as_good_as_before(trained: HostSession) -> None:
    before, weights, state = score(trained), trained.weights, trained.state
    trained.start_guard(HELD_OUT.x, HELD_OUT.y, 10, 0)
    train(trained, ABSURD)
    report = trained.finish_guard()
    assert report.rollbacks >= 3
    assert report.last == report.best == score(trained) >= before
    trained.weights, trained.state = weights, state
    train(trained, ABSURD)
    assert score(trained).correct < before.correct - 3


def test_random_bits_are_not_drawn_twice(trained: HostSession) -> None:
    """Back at the same weights, the same sample moves them otherwise: the step counter went on."""
    trained.start_guard(HELD_OUT.x, HELD_OUT.y, 2, 0)
    start, moved = trained.weights, set()
    for _ in range(4):
        trained.train_step(TRAIN.x[0], (int(TRAIN.y[0]) + 1) % 3, 0.01)
        moved.add(trained.weights)
        trained.train_step(TRAIN.x[0], 0, ABSURD)
        assert trained.weights == start
    assert len(moved) == 4
    assert trained.counters().step == 308


def test_other_weights_end_the_guard(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    for change in (session.reset, lambda: setattr(session, "weights", compiled.program.weights)):
        session.start_guard(HELD_OUT.x, HELD_OUT.y, 5, 0)
        change()
        with pytest.raises(DataError, match="no guard is running; start one"):
            session.guard_report()


def test_what_a_guard_cannot_use_is_refused(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    x, y = HELD_OUT.x, HELD_OUT.y
    for given, complaint in (
        ((x[:0], y[:0], 5, 0), "0 samples and 0 labels"),
        ((x, y[:-1], 5, 0), "11 samples and 10 labels"),
        ((x, y, 0, 0), "interval is 0 steps; it must be 1 to"),
        ((x, y, 1, -1), "tolerance is -1"),
        ((x[:, :5], y, 1, 0), "the model reads 72"),
        ((x, y + 1, 1, 0), "label 3 is not one of the 3 classes"),
    ):
        with pytest.raises(DataError, match=complaint):
            session.start_guard(*given)
    with pytest.raises(DataError, match="no guard is running"):
        session.finish_guard()


def test_an_output_that_is_no_row_of_scores_is_refused() -> None:
    net = Net(np.random.default_rng(5))
    graph = net.graph(net.conv2d(net.input((6, 6, 2)), 8, same((6, 6, 2), 3)))
    session = HostSession(compile_model(graph).program)
    with pytest.raises(TinyflashError):
        session.start_guard(HELD_OUT.x, HELD_OUT.y * 0, 5, 0)


def test_what_it_costs(compiled: Compiled) -> None:
    cost = GuardCost.of(compiled.program, 16)
    scales = len(compiled.program.state) // 12 - 2
    assert cost.sample_bytes == 16 * (72 + 2)
    assert cost.snapshot_bytes == len(compiled.program.weights) + scales
    assert cost.total == cost.sample_bytes + cost.snapshot_bytes


@pytest.mark.parametrize("rate", [0.05, ABSURD])
@pytest.mark.parametrize("stop", [1, 5, 6, 17, 40])
def test_a_guard_goes_on_in_another_session(compiled: Compiled, rate: float, stop: int) -> None:
    """Interrupted at, before and after an evaluation; with a best that is not the last."""
    whole, stopped, other = (HostSession(compiled.program) for _ in range(3))
    for session in (whole, stopped):
        session.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 0)
        for i in range(stop):
            session.train_step(TRAIN.x[i], int(TRAIN.y[i]), rate)
    memory = GuardMemory(stopped.guard_report(), stop % 6, stopped.guard_snapshot())
    other.weights, other.state = stopped.weights, stopped.state
    other.resume_guard(HELD_OUT.x, HELD_OUT.y, 6, 0, memory)
    assert other.guard_report() == stopped.guard_report()
    for session in (whole, other):
        for i in range(stop, 60):
            session.train_step(TRAIN.x[i], int(TRAIN.y[i]), rate)
    assert other.finish_guard() == whole.finish_guard()
    assert (other.weights, other.state) == (whole.weights, whole.state)


def test_a_guard_refuses_a_memory_that_is_not_its_own(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    report = session.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 0)
    memory = GuardMemory(report, 0, session.guard_snapshot())
    for wrong, why in (
        (replace(memory, snapshot=memory.snapshot[1:]), "the guard's snapshot has"),
        (replace(memory, report=replace(report, best=Score(12, 0))), "held-out"),
        (replace(memory, report=replace(report, last=Score(12, 0))), "held-out"),
    ):
        with pytest.raises(TinyflashError, match=why):
            session.resume_guard(HELD_OUT.x, HELD_OUT.y, 6, 0, wrong)
    assert session.guard_report() == report  # the guard that runs goes on
    frozen = HostSession(compile_model(learner_graph(), None).program)
    assert lib.tiny_guard_resume(ffi.new("tiny_guard *"), frozen._session) < 0
