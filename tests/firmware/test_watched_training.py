"""Schedule and guard over the link, on this computer under sanitizers: the host's bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.support.firmware import GUARD_SAMPLES
from tests.support.pipes import PipePort

from tinyflash.compiler import Compiled
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.guard import Action
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Purpose, Space, Type
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.guard import GuardMemory, Score
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.schedule import KINDS, Kind, Schedule
from tinyflash.runtime.session import Session as AnySession
from tinyflash.training.samples import Samples

ABSURD = 90.0


@pytest.fixture
def device_without(start: Callable[[], PipePort]) -> DeviceSession:
    """Built as firmware is by default."""
    return DeviceSession(Link(start()))


def clusters(count: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.integers(-60, 60, (count, 6, 6, 2)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


TRAIN, HELD_OUT = clusters(40, 1), clusters(GUARD_SAMPLES, 2)


def train(session: AnySession, first: int, last: int, rate: float | None = None) -> None:
    for i in range(first, last):
        session.train_step(TRAIN.x[i], int(TRAIN.y[i]), rate)


def refused(device: DeviceSession, why: str, kind: Type, body: bytes = b"") -> None:
    with pytest.raises(LinkError, match=why):
        device._link.command(kind, body)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_runs_on_the_device(
    guarded: DeviceSession, learner: Compiled, kind: Kind
) -> None:
    host = HostSession(learner.program)
    for session in (guarded, host):
        session.train_step(TRAIN.x[0], 0, 0.1)  # the schedule begins where it is set
        session.set_schedule(Schedule(kind, 0.1, 25, 5))
        train(session, 0, 30)  # and keeps its last rate
        session.set_schedule(Schedule(kind, 0.1, 100, 5), done=50)
        train(session, 30, 40)
    assert (guarded.weights, guarded.state) == (host.weights, host.state)


def test_a_schedule_follows_the_training_step_counter(
    guarded: DeviceSession, learner: Compiled
) -> None:
    """Weights and state of step 10 restored: steps 10 to 20 again, to the same bytes."""
    for session in (guarded, HostSession(learner.program)):
        session.set_schedule(Schedule("cosine", 0.1, 20))
        train(session, 0, 10)
        weights, state = session.weights, session.state
        train(session, 10, 20)
        expected = session.weights
        session.weights, session.state = weights, state
        train(session, 10, 20)
        assert session.weights == expected


def test_training_needs_a_rate(guarded: DeviceSession, learner: Compiled) -> None:
    with pytest.raises(LinkError, match="has no learning rate; send one, or set a schedule"):
        train(guarded, 0, 1)
    with pytest.raises(DataError, match="no learning rate; give one, or set a schedule"):
        train(HostSession(learner.program), 0, 1)
    guarded.set_schedule(Schedule("constant", 0.1, 5))
    guarded.reset()
    with pytest.raises(LinkError, match="has no learning rate"):
        train(guarded, 0, 1)
    assert guarded.counters().step == 0
    refused(guarded, "wrong length", Type.TRAIN, bytes(6))


@pytest.mark.parametrize(
    ("at", "value"), [(0, 1), (1, 512), (2, 0x8001), (4, 0), (4, 2**31), (5, 9), (7, 3)]
)
def test_a_schedule_out_of_range_is_refused(guarded: DeviceSession, at: int, value: int) -> None:
    """And the one before stays."""
    guarded.set_schedule(Schedule("constant", 0.1, 9))
    fields = [0x8000, -15, 0x8000, -15, 9, 0, 0, 2, 2]
    fields[at] = value
    refused(guarded, "refused a schedule", Type.SCHEDULE, protocol.SCHEDULE.pack(*fields))
    train(guarded, 0, 1)


@pytest.mark.parametrize("rate", [0.05, ABSURD])
def test_the_guard_of_the_device_is_that_of_the_host(
    guarded: DeviceSession, learner: Compiled, rate: float
) -> None:
    host = HostSession(learner.program)
    reports = []
    for session in (guarded, host):
        told = [session.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 1)]
        session.set_schedule(Schedule("cosine", rate, 40, 3))
        for first in range(0, 40, 5):
            train(session, first, first + 5)
            told.append(session.guard_report())
        told.append(session.finish_guard())
        reports.append(told)
    assert reports[0] == reports[1]
    assert reports[0][0].evaluations == 1
    assert reports[0][-1].evaluations == 8
    assert (guarded.weights, guarded.state) == (host.weights, host.state)


def test_the_guard_can_start_again_with_other_samples(guarded: DeviceSession) -> None:
    first = guarded.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 1)
    again = guarded.start_guard(HELD_OUT.x[:3], HELD_OUT.y[:3], 6, 1)
    assert (first.samples, again.samples) == (GUARD_SAMPLES, 3)
    with pytest.raises(LinkError, match=f"has room for {GUARD_SAMPLES} held-out samples, not 8"):
        guarded.start_guard(TRAIN.x[:8], TRAIN.y[:8], 6, 1)


def test_other_weights_end_the_guard(guarded: DeviceSession) -> None:
    weights = guarded.weights
    for change in (guarded.reset, lambda: guarded.restore(weights=weights)):
        guarded.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 1)
        change()
        with pytest.raises(LinkError, match="runs no guard; start one"):
            guarded.finish_guard()
    assert guarded.guard_report().samples == GUARD_SAMPLES  # they are still there


def test_held_out_samples_are_checked(guarded: DeviceSession) -> None:
    hold = struct.pack("<BI", Action.HOLD, 1)
    begin = struct.pack("<BII", Action.BEGIN, 5, 0)
    x = HELD_OUT.x[0]
    refused(guarded, "no held-out samples", Type.GUARD, begin)
    refused(guarded, "no complete sample", Type.GUARD, hold)
    guarded._pieces.send_sample(x, Purpose.INFER)
    refused(guarded, "no complete sample", Type.GUARD, hold)  # it was meant for inference
    guarded._pieces.send_sample(x, Purpose.HELD_OUT)
    refused(guarded, "no complete sample", Type.INFER)
    refused(guarded, "label", Type.GUARD, struct.pack("<BI", Action.HOLD, 3))
    refused(guarded, "no complete sample", Type.GUARD, hold)  # used up
    for _ in range(GUARD_SAMPLES):
        guarded._pieces.send_sample(x, Purpose.HELD_OUT)
        guarded._link.command(Type.GUARD, hold)
    refused(guarded, "no complete sample", Type.GUARD, hold)
    with pytest.raises(LinkError, match="no room for a held-out sample"):
        guarded._pieces.send_sample(x, Purpose.HELD_OUT)
    refused(guarded, "no held-out samples", Type.GUARD, struct.pack("<BII", Action.BEGIN, 0, 0))
    guarded._link.command(Type.GUARD, begin)


def test_actions_of_wrong_length_or_name(guarded: DeviceSession) -> None:
    refused(guarded, "wrong length", Type.GUARD)
    refused(guarded, "wrong length", Type.GUARD, bytes([Action.TELL, 0]))
    refused(guarded, "wrong length", Type.GUARD, bytes([Action.BEGIN]))
    refused(guarded, "out of range", Type.GUARD, b"\6")
    refused(guarded, "runs no guard", Type.GUARD, bytes([Action.FINISH]))


def test_evaluating_forgets_what_lay_in_the_arena(guarded: DeviceSession) -> None:
    guarded.start_guard(HELD_OUT.x, HELD_OUT.y, 1, 0)
    guarded.infer(TRAIN.x[0])
    guarded._pieces.send_sample(TRAIN.x[0], Purpose.TRAIN)
    guarded.finish_guard()
    refused(guarded, "no output", Type.READ, protocol.READ.pack(Space.OUTPUT, 0, 1))
    refused(guarded, "no complete sample", Type.TRAIN, protocol.TRAIN.pack(0, 0x8000, -18))


def test_a_half_written_model_is_not_evaluated(guarded: DeviceSession) -> None:
    guarded.start_guard(HELD_OUT.x, HELD_OUT.y, 1, 0)
    both = 1 << Space.WEIGHTS | 1 << Space.STATE
    body = protocol.RESTORE.pack(guarded.info.hash, both)
    guarded._link.command(Type.RESTORE, body)
    refused(guarded, "partly written", Type.GUARD, struct.pack("<BII", Action.BEGIN, 5, 0))
    refused(guarded, "partly written", Type.GUARD, struct.pack("<BI", Action.HOLD, 0))


def test_firmware_without_a_guard_says_so(device_without: DeviceSession) -> None:
    refused(device_without, "build its firmware with --guard", Type.GUARD, bytes([Action.TELL]))
    with pytest.raises(LinkError, match="no room for a held-out sample"):
        device_without._pieces.send_sample(np.zeros(3000, np.int8), Purpose.HELD_OUT)
    with pytest.raises(LinkError, match="build its firmware with --guard"):
        device_without.start_guard(np.zeros((1, 3000), np.int8), np.zeros(1, np.int64), 5, 0)


@pytest.mark.parametrize("rate", [0.05, ABSURD])
def test_a_guard_goes_on_after_the_device_was_reset(
    guarded: DeviceSession, learner: Compiled, rate: float
) -> None:
    """To the bytes of a run of the host that was never interrupted."""
    host = HostSession(learner.program)
    for session in (guarded, host):
        session.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 0)
        train(session, 0, 17, rate)
    memory = GuardMemory(guarded.guard_report(), 17 % 6, guarded.guard_snapshot())
    assert memory.snapshot == host.guard_snapshot()
    weights, state = guarded.weights, guarded.state
    guarded.reset()
    train(guarded, 0, 3, rate)
    guarded.restore(weights, state)
    guarded.resume_guard(HELD_OUT.x, HELD_OUT.y, 6, 0, memory)
    for session in (guarded, host):
        train(session, 17, 40, rate)
    assert guarded.finish_guard() == host.finish_guard()
    assert (guarded.weights, guarded.state) == (host.weights, host.state)


def test_what_a_guard_goes_on_with_is_checked(guarded: DeviceSession, learner: Compiled) -> None:
    report = guarded.start_guard(HELD_OUT.x, HELD_OUT.y, 6, 0)
    snapshot = guarded.guard_snapshot()
    memory = GuardMemory(report, 0, snapshot)
    guarded._pieces.write(Space.SNAPSHOT, snapshot[:9])
    with pytest.raises(LinkError, match="runs no guard"):  # what it keeps has changed
        guarded.guard_snapshot()
    with pytest.raises(LinkError, match="bytes that differ from those sent"):
        guarded._guard.resume(6, 0, memory)
    with pytest.raises(LinkError, match="out of range"):
        guarded._link.command(Type.WRITE, protocol.WRITE_HEAD.pack(Space.SNAPSHOT, 7) + b"x")
    guarded._pieces.write(Space.SNAPSHOT, snapshot)
    with pytest.raises(LinkError, match="out of range"):
        guarded._link.command(
            Type.WRITE, protocol.WRITE_HEAD.pack(Space.SNAPSHOT, len(snapshot)) + b"x"
        )
    with pytest.raises(LinkError, match="bytes that differ from those sent"):
        guarded._guard.resume(6, 0, replace(memory, snapshot=bytes(len(snapshot))))
    with pytest.raises(LinkError, match="no held-out samples"):
        guarded._guard.resume(0, 0, memory)
    with pytest.raises(LinkError, match="no held-out samples"):
        guarded._guard.resume(6, 0, replace(memory, report=replace(report, best=Score(8, 0))))
    guarded._guard.resume(6, 0, memory)
    with pytest.raises(DataError, match="the guard's snapshot has"):
        guarded.resume_guard(
            HELD_OUT.x, HELD_OUT.y, 6, 0, replace(memory, snapshot=snapshot + b"x")
        )
    wild = bytearray(snapshot)
    for row in learner.program.train:
        if row.kernel == "bias_update":
            at = next(b.offset for b in row.buffers if b is not None and b.space == 1)
            wild[at : at + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(LinkError, match="refused a state or weights"):
        guarded.resume_guard(HELD_OUT.x, HELD_OUT.y, 6, 0, replace(memory, snapshot=bytes(wild)))
    with pytest.raises(LinkError, match="refused a state or weights"):  # a gain of 64
        guarded.resume_guard(
            HELD_OUT.x, HELD_OUT.y, 6, 0, replace(memory, snapshot=snapshot[:-1] + b"\x40")
        )
    guarded._link.command(
        Type.RESTORE, protocol.RESTORE.pack(guarded.info.hash, 1 << Space.WEIGHTS)
    )
    with pytest.raises(LinkError, match="partly written"):
        guarded._guard.resume(6, 0, memory)


def test_firmware_without_a_guard_has_no_snapshot(device_without: DeviceSession) -> None:
    refused(device_without, "runs no guard", Type.READ, protocol.READ.pack(Space.SNAPSHOT, 0, 1))
    body = protocol.WRITE_HEAD.pack(Space.SNAPSHOT, 0) + b"x"
    refused(device_without, "out of range", Type.WRITE, body)
