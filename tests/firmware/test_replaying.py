"""The replay buffer over the link, on this computer under sanitizers: the host's bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from tests.support.firmware import REPLAY_SLOTS
from tests.support.pipes import PipePort

from tinyflash.compiler import Compiled
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Space, Type
from tinyflash.runtime.device.replay import Action
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.replay import Kept, empty
from tinyflash.runtime.session import Session as AnySession
from tinyflash.training.samples import Samples


def clusters(count: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.integers(-60, 60, (count, 6, 6, 2)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


TRAIN, HELD_OUT = clusters(40, 1), clusters(5, 2)


def train(session: AnySession, first: int, last: int, rate: float = 0.05) -> None:
    for i in range(first, last):
        session.train_step(TRAIN.x[i], int(TRAIN.y[i]), rate)


def refused(device: DeviceSession, why: str, kind: Type, body: bytes = b"") -> None:
    with pytest.raises(LinkError, match=why):
        device._link.command(kind, body)


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_buffer_of_the_device_is_that_of_the_host(
    guarded: DeviceSession, learner: Compiled, repeats: int
) -> None:
    """Beside a guard, and with inferences in between."""
    host, outcomes = HostSession(learner.program), []
    for session in (guarded, host):
        session.start_replay(empty(learner.program, REPLAY_SLOTS, 11), REPLAY_SLOTS, repeats)
        session.start_guard(HELD_OUT.x, HELD_OUT.y, 7, 0)
        told = []
        for x, label in zip(TRAIN.x, TRAIN.y.tolist(), strict=True):
            told.append((session.infer(x).tolist(), session.train_step(x, label, 0.05)))
        outcomes.append((told, session.finish_guard()))
    assert outcomes[0] == outcomes[1]
    assert (guarded.weights, guarded.state) == (host.weights, host.state)
    assert guarded.replay_memory() == host.replay_memory()
    assert Kept.of(host.replay_memory(), 3, REPLAY_SLOTS).replayed == 40 * repeats


def test_a_buffer_goes_on_after_the_device_was_reset(
    guarded: DeviceSession, learner: Compiled
) -> None:
    host = HostSession(learner.program)
    for session in (guarded, host):
        session.start_replay(empty(learner.program, REPLAY_SLOTS, 4), REPLAY_SLOTS, 2)
        train(session, 0, 17)
    weights, state, memory = guarded.weights, guarded.state, guarded.replay_memory()
    guarded.reset()
    with pytest.raises(LinkError, match="--replay"):
        guarded.replay_memory()
    train(guarded, 0, 3)
    guarded.restore(weights, state)
    guarded.start_replay(memory, REPLAY_SLOTS, 2)
    for session in (guarded, host):
        train(session, 17, 40)
    assert (guarded.weights, guarded.state) == (host.weights, host.state)


def test_restored_weights_leave_the_buffer(guarded: DeviceSession, learner: Compiled) -> None:
    guarded.start_replay(empty(learner.program, REPLAY_SLOTS, 4), REPLAY_SLOTS, 1)
    train(guarded, 0, 9)
    memory = guarded.replay_memory()
    guarded.restore(weights=guarded.weights)
    assert guarded.replay_memory() == memory
    guarded.stop_replay()
    step = guarded.counters().step
    train(guarded, 0, 1)
    assert guarded.counters().step == step + 1


def test_what_a_buffer_begins_with_is_checked(guarded: DeviceSession, learner: Compiled) -> None:
    memory = empty(learner.program, REPLAY_SLOTS, 1)

    def start(repeats: int, crc: int) -> bytes:
        return struct.pack("<BII", Action.START, repeats, crc)

    refused(guarded, "differ", Type.REPLAY, start(1, zlib.crc32(memory)))
    guarded._pieces.write(Space.REPLAYED, memory[:-1])
    refused(guarded, "differ", Type.REPLAY, start(1, zlib.crc32(memory)))
    guarded._pieces.write(Space.REPLAYED, memory)
    refused(guarded, "differ", Type.REPLAY, start(1, zlib.crc32(memory) ^ 1))
    for repeats in (0, 256):
        refused(guarded, "out of range", Type.REPLAY, start(repeats, zlib.crc32(memory)))
    refused(guarded, "replay", Type.READ, protocol.READ.pack(Space.REPLAYED, 0, 1))
    beyond = protocol.WRITE_HEAD.pack(Space.REPLAYED, len(memory)) + b"x"
    refused(guarded, "out of range", Type.WRITE, beyond)
    guarded._link.command(Type.REPLAY, start(255, zlib.crc32(memory)))
    refused(guarded, "differ", Type.REPLAY, start(1, zlib.crc32(memory)))  # it is used up
    with pytest.raises(LinkError, match=f"keeps {REPLAY_SLOTS} samples of each class, not 3"):
        guarded.start_replay(empty(learner.program, 3, 1), 3, 1)
    with pytest.raises(DataError, match="memory has"):
        guarded.start_replay(memory[4:], REPLAY_SLOTS, 1)


def test_a_refused_step_keeps_nothing(guarded: DeviceSession, learner: Compiled) -> None:
    memory = empty(learner.program, REPLAY_SLOTS, 1)
    guarded.start_replay(memory, REPLAY_SLOTS, 1)
    for body in (protocol.TRAIN.pack(3, 0x8000, -4), protocol.TRAIN.pack(0, 1, 0)):
        guarded._pieces.send_sample(TRAIN.x[0], protocol.Purpose.TRAIN)
        refused(guarded, "refused a", Type.TRAIN, body)
    assert guarded.replay_memory() == memory


def test_actions_of_wrong_length_or_name(guarded: DeviceSession) -> None:
    refused(guarded, "wrong length", Type.REPLAY)
    refused(guarded, "wrong length", Type.REPLAY, bytes([Action.TELL, 0]))
    refused(guarded, "wrong length", Type.REPLAY, bytes([Action.START]))
    refused(guarded, "out of range", Type.REPLAY, b"\3")


def test_firmware_without_a_buffer_says_so(start: Callable[[], PipePort]) -> None:
    device = DeviceSession(Link(start()))
    refused(device, "build its firmware with --replay", Type.REPLAY, bytes([Action.TELL]))
    refused(device, "replay", Type.READ, protocol.READ.pack(Space.REPLAYED, 0, 1))
    body = protocol.WRITE_HEAD.pack(Space.REPLAYED, 0) + b"x"
    refused(device, "out of range", Type.WRITE, body)
