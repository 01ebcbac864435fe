"""The firmware's commands, on this computer under sanitizers: what it does and what it refuses."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tests.support.pipes import PipePort, exchange

from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Purpose, Space, Type
from tinyflash.runtime.device.session import DeviceSession

HASH = 0x1234ABCD
SAMPLE = np.random.default_rng(1).integers(-128, 128, 3000).astype(np.int8)
RATE = protocol.TRAIN.pack(1, 0x8000, 0)


@pytest.fixture
def device(start: Callable[[], PipePort]) -> Iterator[DeviceSession]:
    with DeviceSession(Link(start()), HASH) as session:
        yield session


def send(device: DeviceSession, kind: int, body: bytes = b"") -> bytes:
    return device._link.command(Type(kind), body)


def piece(
    offset: int, count: int, purpose: int = Purpose.INFER, data: bytes | None = None
) -> bytes:
    head = protocol.SAMPLE_HEAD.pack(purpose, 0, 0, offset, count)
    return head + (bytes(count) if data is None else data)


def refused(device: DeviceSession, why: str, kind: int, body: bytes = b"") -> None:
    with pytest.raises(LinkError, match=why):
        send(device, kind, body)


def test_the_device_describes_itself(device: DeviceSession) -> None:
    sizes = (512, HASH, 1500, 56, 6000, 3000, 3000, 6, 0, 0, 0)
    assert device.info == protocol.Info(True, False, False, *sizes, "host", "link test")


def test_inference(device: DeviceSession) -> None:
    expected = SAMPLE.copy()
    expected[:5] += np.arange(1, 6, dtype=np.int8)
    assert np.array_equal(device.infer(SAMPLE), expected)
    assert np.array_equal(device.infer(SAMPLE.reshape(10, 300)), expected)


def test_training(device: DeviceSession) -> None:
    outcome = device.train_step(SAMPLE, 2, 0.25)
    assert (outcome.predicted, outcome.probability) == (2, 0.5)
    expected = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8) + SAMPLE[:1500] + 2
    assert device.weights == expected.astype(np.int8).tobytes()
    counters = device.counters()
    assert counters.step == 1
    assert counters.exponents == (-7, -3)
    device.reset()
    assert device.counters().step == 0
    assert device.weights == bytes([1, 2, 3, 4, 5]) + bytes(1495)


def test_weights_and_state_come_back(device: DeviceSession) -> None:
    device.train_step(SAMPLE, 2, 0.25)
    weights, state = device.weights, device.state
    device.train_step(SAMPLE, 1, 0.25)
    device.restore(weights, state)
    assert (device.weights, device.state) == (weights, state)
    device.reset()
    device.weights = weights
    device.state = state
    assert (device.weights, device.state) == (weights, state)


@pytest.mark.parametrize(
    ("x", "label", "rate"),
    [(SAMPLE[:-1], 0, 0.1), (SAMPLE.astype(np.int16), 0, 0.1), (SAMPLE, 6, 0.1), (SAMPLE, -1, 0.1)]
    + [(SAMPLE, 0, rate) for rate in (-0.1, float("nan"), float("inf"))],
)
def test_the_host_refuses(device: DeviceSession, x: np.ndarray, label: int, rate: float) -> None:
    with pytest.raises(DataError):
        device.train_step(x, label, rate)
    with pytest.raises(DataError):
        device.weights = bytes(3)
    with pytest.raises(DataError, match="learns from labels"):
        device.train_on_target(SAMPLE, SAMPLE, 0.1)
    assert device.counters().step == 0


def test_samples_come_in_order(device: DeviceSession) -> None:
    range_, missing = "out of range", "no complete sample"
    refused(device, missing, Type.INFER)
    refused(device, range_, Type.SAMPLE, piece(100, 100))  # nothing before it
    send(device, Type.SAMPLE, piece(0, 400))
    refused(device, range_, Type.SAMPLE, piece(399, 400))  # overlaps
    refused(device, range_, Type.SAMPLE, piece(401, 400))  # leaves a gap
    refused(device, range_, Type.SAMPLE, piece(400, 400, Purpose.TRAIN))  # of another sample
    refused(device, range_, Type.SAMPLE, piece(0xFFFFFFFF, 400))
    refused(device, missing, Type.INFER)
    for offset in range(400, 2800, 400):
        send(device, Type.SAMPLE, piece(offset, 400))
    refused(device, range_, Type.SAMPLE, piece(2800, 201))  # beyond the end
    send(device, Type.SAMPLE, piece(2800, 200))
    refused(device, missing, Type.TRAIN, RATE)  # it was meant for inference
    send(device, Type.INFER)
    refused(device, missing, Type.INFER)  # used up


def test_bodies_of_wrong_length_or_content(device: DeviceSession) -> None:
    refused(device, "wrong length", Type.INFER, b"x")
    refused(device, "wrong length", Type.SAMPLE, b"123456789")
    refused(device, "wrong length", Type.TRAIN, RATE + b"x")
    refused(device, "could not decode", Type.SAMPLE, piece(0, 5, data=b"four"))
    refused(device, "out of range", Type.SAMPLE, piece(0, 5, purpose=2))
    refused(device, "could not decode", Type.SAMPLE, b"\0\1" + piece(0, 50)[2:])
    refused(device, "does not know", Type.READY)


def test_a_reply_to_no_command_looks_like_nothing_else(start: Callable[[], PipePort]) -> None:
    """Of every type that a frame can have: never like READY, NAK, FAULT, REFUSAL or WANT."""
    port = start()
    assert exchange(port, b"", 1) == [Frame(Type.READY, 0)]
    known = {*range(Type.HELLO, Type.ROWS + 1), *range(Type.RATES, Type.ECHO + 1), Type.REPLAY}
    for kind in sorted({*range(256)} - known):
        (reply,) = exchange(port, encode(Frame(kind, 200, b"body")), 1)
        expected = kind | protocol.REPLY if kind < 0x70 else protocol.REPLY
        assert reply == Frame(expected, 200, b"\1"), hex(kind)
        assert reply.type < min(Type.READY, Type.NAK, Type.FAULT, Type.REFUSAL, Type.WANT)


def test_a_device_of_one_rate_has_that_one(device: DeviceSession) -> None:
    link, begun = device._link, struct.pack("<I", 115_200)
    reply = link.command(Type.RATES, struct.pack("<2I", 115_200, 1_000_000), size=12)
    assert struct.unpack("<3I", reply) == (0, 115_200, 0)
    refused(device, "out of range", Type.RATE, struct.pack("<I", 1_000_000))
    link.command(Type.RATE, begun, size=0)
    device.infer(SAMPLE)


def test_reading_stays_within(device: DeviceSession) -> None:
    for space, offset, count in (
        (1, 1500, 1),
        (1, 0, 506),
        (1, 0xFFFFFFFF, 2),
        (0, 0, 1),
        (9, 0, 1),
    ):
        refused(device, "out of range", Type.READ, protocol.READ.pack(space, offset, count))
    refused(device, "no output", Type.READ, protocol.READ.pack(Space.OUTPUT, 0, 1))
    device.infer(SAMPLE)
    assert len(send(device, Type.READ, protocol.READ.pack(Space.OUTPUT, 2999, 1))) == 1
    send(device, Type.SAMPLE, piece(0, 1))  # may lie where the output was
    refused(device, "no output", Type.READ, protocol.READ.pack(Space.OUTPUT, 0, 1))


def test_label_and_rate_are_checked(device: DeviceSession) -> None:
    for body, why in (
        ((6, 0x8000, 0), "label"),
        ((0, 0x7FFF, 0), "rate"),
        ((0, 0x8000, 512), "rate"),
    ):
        device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
        refused(device, why, Type.TRAIN, protocol.TRAIN.pack(*body))
    assert device.counters().step == 0


def test_a_torn_restore_is_noticed(device: DeviceSession) -> None:
    both = 1 << Space.WEIGHTS | 1 << Space.STATE
    send(device, Type.RESTORE, protocol.RESTORE.pack(HASH, both))
    send(device, Type.WRITE, protocol.WRITE_HEAD.pack(Space.WEIGHTS, 0) + bytes(100))
    half = "partly written"
    device._pieces.send_sample(SAMPLE, Purpose.INFER)
    refused(device, half, Type.INFER)
    refused(device, half, Type.READ, protocol.READ.pack(Space.WEIGHTS, 0, 1))
    refused(device, half, Type.COMMIT, protocol.COMMIT.pack(zlib.crc32(bytes(100))))
    refused(device, half, Type.RESTORE, protocol.RESTORE.pack(HASH, 1 << Space.STATE))
    info = protocol.parse_info(device._link.open_session(1))
    assert info.half_written
    device.reset()
    device.infer(SAMPLE)


def test_restoring_is_checked(device: DeviceSession) -> None:
    weights, state = device.weights, device.state
    refused(device, "another model", Type.RESTORE, protocol.RESTORE.pack(HASH + 1, 2))
    refused(device, "out of range", Type.RESTORE, protocol.RESTORE.pack(HASH, 1 << Space.OUTPUT))
    refused(device, "out of range", Type.RESTORE, protocol.RESTORE.pack(HASH, 0))
    refused(device, "out of range", Type.WRITE, protocol.WRITE_HEAD.pack(Space.WEIGHTS, 0) + b"x")
    send(device, Type.RESTORE, protocol.RESTORE.pack(HASH, 1 << Space.WEIGHTS))
    refused(device, "out of range", Type.WRITE, protocol.WRITE_HEAD.pack(Space.STATE, 0) + b"x")
    device._pieces.write(Space.WEIGHTS, weights)
    refused(device, "out of range", Type.WRITE, protocol.WRITE_HEAD.pack(1, 1500) + b"x")
    refused(device, "bytes that differ", Type.COMMIT, protocol.COMMIT.pack(zlib.crc32(weights) ^ 1))
    send(device, Type.COMMIT, protocol.COMMIT.pack(zlib.crc32(weights)))
    assert (device.weights, device.state) == (weights, state)


@pytest.mark.parametrize(
    ("at", "value"),
    [(18, 3), (18, 1), (32, 16), (32, 0x80), (39, 0x80)],
    ids=["more scales", "fewer", "exponent above", "below", "negative peak"],
)
def test_a_state_that_is_none_is_refused(device: DeviceSession, at: int, value: int) -> None:
    state = bytearray(device.state)
    state[at] = value
    with pytest.raises(LinkError, match="refused a state"):
        device.state = bytes(state)
    with pytest.raises(LinkError, match="partly written"):
        device.infer(SAMPLE)
    device.reset()
    device.infer(SAMPLE)


def test_another_program_is_refused(start: Callable[[], PipePort]) -> None:
    with pytest.raises(LinkError, match="not the program with hash 00000001; build and flash"):
        DeviceSession(Link(start()), 1)


def test_a_command_of_the_same_number_but_other_bytes_is_another_one(
    start: Callable[[], PipePort],
) -> None:
    port = start()
    exchange(port, b"", 1)  # READY
    counters, other = (
        exchange(port, encode(Frame(Type(kind), 7, body)), 1)[0]
        for kind, body in ((Type.COUNTERS, b""), (Type.READ, protocol.READ.pack(1, 0, 2)))
    )
    assert counters.type == Type.COUNTERS | protocol.REPLY
    assert (other.type, other.body) == (Type.READ | protocol.REPLY, b"\0\1\2")


@pytest.mark.parametrize("damage", [b"\1\0", b"\5\1\0", b"\1\1\1\1\1\1\0"])
def test_a_frame_of_too_little_is_damaged(start: Callable[[], PipePort], damage: bytes) -> None:
    """A code byte alone; one that announces more than comes; less than a header and a CRC."""
    port = start()
    exchange(port, b"", 1)
    (nak,) = exchange(port, b"\0" + damage, 1)
    assert nak.type == Type.NAK
