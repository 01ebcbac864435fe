"""The replay buffer on the host: to the letter of SPEC 12."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.learner import learner, learner_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError
from tinyflash.reference.replay import ReplayBuffer
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.replay import Kept, ReplayCost, empty, replay_bytes
from tinyflash.training.samples import Samples

CLASSES, SAMPLE = 3, 72


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return learner()


def clusters(count: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y = random.integers(0, CLASSES, count)
    x = random.integers(-60, 60, (count, 6, 6, 2)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


TRAIN = clusters(90, 1)


@pytest.mark.parametrize(("slots", "repeats", "seed"), [(1, 1, 0), (2, 1, 7), (5, 3, 2**32 - 1)])
def test_it_does_what_the_specification_says(
    compiled: Compiled, slots: int, repeats: int, seed: int
) -> None:
    """The library's buffer beside a session without one, which the reference drives."""
    session, plain = HostSession(compiled.program), HostSession(compiled.program)
    session.start_replay(empty(compiled.program, slots, seed), slots, repeats)
    reference = ReplayBuffer(CLASSES, slots, seed)
    for x, label in zip(TRAIN.x, TRAIN.y.tolist(), strict=True):
        outcome = session.train_step(x, label, 0.05)
        reference.keep(x.tobytes(), label)
        assert outcome == plain.train_step(x, label, 0.05)
        for _ in range(repeats):
            picked = reference.pick()
            assert picked is not None
            sample = np.frombuffer(picked[0], np.int8).reshape(x.shape)
            plain.train_step(sample, picked[1], 0.05)
        assert session.replay_memory() == reference.memory(SAMPLE)
        assert (session.weights, session.state) == (plain.weights, plain.state)
    assert session.counters().step == 90 * (1 + repeats)


def test_every_sample_of_a_class_is_kept_as_often(compiled: Compiled) -> None:
    """5 of 20 samples are kept, over 400 seeds: each in about a quarter of them (chi-square of 19
    degrees of freedom, below its 0.9999 quantile)."""
    slots, count, seeds = 5, 20, 400
    x = np.arange(count, dtype=np.int8)[:, None] * np.ones(SAMPLE, np.int8)
    found = np.zeros(count)
    for seed in range(seeds):
        session = HostSession(compiled.program)
        session.start_replay(empty(compiled.program, slots, seed), slots, 1)
        for sample in x:
            session.keep(sample, 1)
        kept = np.frombuffer(session.replay_memory()[8 + 4 * CLASSES :], np.int8)
        kept = kept.reshape(CLASSES, slots, SAMPLE)[1, :, 0]
        assert len(set(kept.tolist())) == slots
        found[kept] += 1
    expected = seeds * slots / count
    assert float(((found - expected) ** 2 / expected).sum()) / (1 - slots / count) < 52


def test_replayed_classes_are_even(compiled: Compiled) -> None:
    """A class that is rare is replayed as often as the others."""
    reference = ReplayBuffer(CLASSES, 4, 3)
    for i in range(100):
        reference.keep(bytes([i]), 0)
    reference.keep(b"b", 2)
    labels = [picked[1] for _ in range(1000) if (picked := reference.pick())]
    assert set(labels) == {0, 2}
    assert 430 < labels.count(2) < 570


def test_a_counter_that_is_full_stays(compiled: Compiled) -> None:
    memory = bytearray(empty(compiled.program, 2, 9))
    memory[8:12] = (2**32 - 2).to_bytes(4, "little")
    session = HostSession(compiled.program)
    session.start_replay(bytes(memory), 2, 1)
    for _ in range(3):
        session.keep(TRAIN.x[0], 0)
    assert Kept.of(session.replay_memory(), CLASSES, 2).seen == (2**32 - 1, 0, 0)


def test_a_buffer_goes_on_in_another_session(compiled: Compiled) -> None:
    whole, stopped, other = (HostSession(compiled.program) for _ in range(3))
    for session in (whole, stopped):
        session.start_replay(empty(compiled.program, 2, 5), 2, 2)
        for i in range(31):
            session.train_step(TRAIN.x[i], int(TRAIN.y[i]), 0.05)
    other.weights, other.state = stopped.weights, stopped.state
    other.start_replay(stopped.replay_memory(), 2, 2)
    for session in (whole, other):
        for i in range(31, 90):
            session.train_step(TRAIN.x[i], int(TRAIN.y[i]), 0.05)
    assert (other.weights, other.state) == (whole.weights, whole.state)
    assert other.replay_memory() == whole.replay_memory()


def test_it_works_beside_a_guard(compiled: Compiled) -> None:
    """The guard counts new samples only, and the buffer outlives a return to the best weights."""
    session = HostSession(compiled.program)
    session.start_replay(empty(compiled.program, 2, 5), 2, 2)
    held_out = clusters(11, 2)
    session.start_guard(held_out.x, held_out.y, 10, 0)
    for i in range(40):
        session.train_step(TRAIN.x[i], int(TRAIN.y[i]), 90.0)
    assert session.guard_report().evaluations == 5
    assert session.guard_report().rollbacks > 0
    assert Kept.of(session.replay_memory(), CLASSES, 2).replayed == 80


def test_a_refused_step_keeps_nothing(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    memory = empty(compiled.program, 2, 5)
    session.start_replay(memory, 2, 1)
    for label, rate in ((3, 0.1), (0, None)):
        with pytest.raises(DataError):
            session.train_step(TRAIN.x[0], label, rate)
    assert session.replay_memory() == memory
    assert lib.tiny_replay_keep(session._replay._replay, session.native, 3) < 0  # type: ignore[union-attr]
    session.reset()
    with pytest.raises(DataError, match="no replay buffer is in use"):
        session.replay_memory()


def test_what_a_buffer_cannot_be_is_refused(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    memory = empty(compiled.program, 2, 0)
    for given, complaint in (
        ((memory[1:], 2, 1), "memory has 451 bytes; it takes 452"),
        ((memory, 3, 1), "it takes 668"),
        ((memory, 2, 0), "0 kept samples after each new one; it must be 1 to 255"),
    ):
        with pytest.raises(DataError, match=complaint):
            session.start_replay(*given)
    frozen = compile_model(learner_graph(), None).program
    with pytest.raises(DataError, match="learns from targets, or not at all"):
        empty(frozen, 2, 0)
    assert lib.tiny_replay_begin(ffi.new("tiny_replay *"), HostSession(frozen).native) < 0
    assert lib.tiny_replay_begin(ffi.new("tiny_replay *"), session.native) < 0


def test_what_it_costs(compiled: Compiled) -> None:
    assert ReplayCost.of(compiled.program, 4).total == 8 + 3 * 4 + 3 * 4 * SAMPLE
    assert ReplayCost.of(compiled.program, 0).total == 0
    model = HostSession(compiled.program).native.model
    for slots in (0, 1, 2, 7, 65535):
        expected = replay_bytes(CLASSES, slots, SAMPLE) if slots else 0
        assert lib.tiny_replay_bytes(model, slots) == expected
    assert lib.tiny_replay_bytes(model, 2**32 - 1) == 0
