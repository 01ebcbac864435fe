"""A line that loses, changes, repeats and invents bytes: each command is executed exactly once.

The firmware runs on this computer, under sanitizers.
"""

from __future__ import annotations

import errno
import os
import random
import select
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial
from tests.support.pipes import NoisyPort, PipePort, exchange

from tinyflash.errors import LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.port import open_port
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.session import DeviceSession

SAMPLE = np.random.default_rng(1).integers(-128, 128, 3000).astype(np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_training_over_a_noisy_line(seed: int, host_firmware: Path) -> None:
    port = NoisyPort(host_firmware)
    port.arm(seed, 0.25)
    link = Link(port, patience=0.05)
    with DeviceSession(link) as device:
        weights = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8)
        for label in (0, 1, 2, 1):
            device.train_step(SAMPLE, label, 0.5)
            weights = weights + SAMPLE[:1500] + np.int8(label)
        assert device.weights == weights.tobytes()
        assert device.counters().step == 4
        assert device.frames_damaged > 0
    assert link.repeated > 4


def steps(port: PipePort, sequence: int) -> int:
    """Training steps, as COUNTERS says."""
    (reply,) = exchange(port, encode(Frame(Type.COUNTERS, sequence)), 1)
    step, *_ = protocol.COUNTERS_REPLY.unpack(reply.body[1:])
    return int(step)


@pytest.fixture
def trained(start: Callable[[], PipePort]) -> tuple[PipePort, bytes, Frame]:
    """Firmware that has done one training step; the command's bytes and its reply."""
    port = start()
    device = DeviceSession(Link(port))
    device._pieces.send_sample(SAMPLE, protocol.Purpose.TRAIN)
    command = encode(Frame(Type.TRAIN, 200, protocol.TRAIN.pack(1, 0x8000, 0)))
    (reply,) = exchange(port, command, 1)
    return port, command, reply


NAK = Frame(Type.NAK, 0)


def test_a_repeated_command_is_answered_again_and_not_executed(
    trained: tuple[PipePort, bytes, Frame],
) -> None:
    port, command, reply = trained
    assert exchange(port, command + command, 2) == [reply, reply]
    assert steps(port, 201) == 1


def test_the_reply_survives_what_comes_in_between(trained: tuple[PipePort, bytes, Frame]) -> None:
    port, command, reply = trained
    assert exchange(port, b"\0garbage\0" + command, 2) == [NAK, reply]
    assert steps(port, 201) == 1


def test_the_same_number_with_other_bytes_is_another_command(
    trained: tuple[PipePort, bytes, Frame],
) -> None:
    port, _, reply = trained
    other = encode(Frame(Type.TRAIN, 200, protocol.TRAIN.pack(2, 0x8000, 0)))
    (refusal,) = exchange(port, other, 1)
    assert refusal.body == bytes([5])  # no sample
    assert reply.body[:1] == b"\0"


COMMAND = encode(Frame(Type.COUNTERS, 9))
DAMAGED = {
    "cut off": COMMAND[:-3] + b"\0",
    "without its start": b"\0" + COMMAND[3:],
    "a bit changed": COMMAND[:3] + bytes([COMMAND[3] ^ 1]) + COMMAND[4:],
    "too long": encode(Frame(Type.COUNTERS, 9, bytes(507))),
    "endless": b"\0" + b"\x05" * 100_000 + b"\0",
    "shorter than a header": b"\0\x02\x01\0",
    "no COBS": b"\0\xff\x01\x01\0",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_frame_is_counted_and_refused(name: str, start: Callable[[], PipePort]) -> None:
    port = start()
    device = DeviceSession(Link(port))
    assert exchange(port, DAMAGED[name], 1) == [NAK]
    assert device.frames_damaged == 1
    device.close()


def test_the_longest_frame_passes(start: Callable[[], PipePort]) -> None:
    port = start()
    Link(port).open_session(5)
    (reply,) = exchange(port, encode(Frame(Type.COUNTERS, 9, bytes(506))), 1)
    assert reply.body == bytes([2])  # wrong length, but whole


@pytest.mark.parametrize("seed", range(4))
def test_floods_of_garbage(seed: int, start: Callable[[], PipePort]) -> None:
    """Bytes of all kinds, then pieces of true frames: the sanitizers stay silent, it goes on."""
    source = random.Random(seed)
    port = start()
    with DeviceSession(Link(port)) as device:
        before = device.weights
        for _ in range(40):
            flood = source.randbytes(source.randrange(2000))
            kind, size = source.randrange(11), source.randrange(520)
            frame = encode(Frame(kind, source.randrange(256), source.randbytes(size)))
            at = source.randrange(len(frame))
            port.write(flood + frame[:at] + frame[at + source.randrange(2) :] + b"\0")
            while port.read(4096):
                pass
        device.reset()
        assert device.weights == before


def test_a_device_that_starts_anew_is_noticed(start: Callable[[], PipePort]) -> None:
    port = start()
    device = DeviceSession(Link(port))
    port._from, other = start()._from, port._from
    select.select([port._from], [], [], 60)  # until it has started, however long that takes
    with pytest.raises(LinkError, match="the device restarted"):
        device.counters()
    port._from = other


class SilentPort:
    """A line that nobody answers; or somebody who says the same whatever comes."""

    in_waiting = 0

    def __init__(self, says: bytes = b"") -> None:
        self.says = says

    def read(self, size: int) -> bytes:
        return self.says

    def write(self, data: bytes) -> int:
        return len(data)

    def close(self) -> None:
        pass


def test_nobody_answers() -> None:
    with pytest.raises(
        LinkError, match=r"no answer within 0\.2 s; is the tinyflash firmware"
    ) as caught:
        Link(SilentPort()).open_session(0.2)
    assert "\n" not in str(caught.value)


class CutPort(SilentPort):
    """A line that breaks when it is written to; what had come before can still be read."""

    def write(self, data: bytes) -> int:
        raise OSError("broken pipe")

    def read(self, size: int) -> bytes:
        said, self.says = self.says, b""
        return said


def test_the_last_words_of_a_dead_device_are_read() -> None:
    fault = encode(Frame(Type.FAULT, 0, protocol.FAULT.pack(3, 0x10000, 0, 0x1234, 0)))
    with pytest.raises(LinkError, match="the device stopped: undefined instruction, at pc 0x0000"):
        Link(CutPort(fault)).command(Type.TRAIN)
    with pytest.raises(LinkError, match="the serial line is gone: the board was unplugged"):
        Link(CutPort()).command(Type.TRAIN)


def test_another_version_of_the_protocol() -> None:
    info = encode(Frame(Type.HELLO | protocol.REPLY, 0, b"\0\x07"))
    with pytest.raises(LinkError, match="has protocol version 7"):
        DeviceSession(Link(SilentPort(info)))


def test_nonsense_for_an_answer() -> None:
    info = encode(Frame(Type.HELLO | protocol.REPLY, 0, bytes([0, protocol.VERSION])))
    with pytest.raises(LinkError, match="sent a wrong description"):
        DeviceSession(Link(SilentPort(info)))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/dev/no-such-port", "No such file"),
        ("/dev/null", "it is not a serial port"),
        ("/", "Is a directory"),
        ("socket://127.0.0.1:1", "Connection refused"),
        ("socket://nonsense", "write it as socket://host:port"),
        ("socket://127.0.0.1:65536", "write it as socket://host:port"),
        ("other://x", "protocol 'other' not known"),
        ("a\0b\nc", "embedded null byte"),
    ],
)
def test_a_port_that_cannot_be_opened(url: str, why: str) -> None:
    with pytest.raises(LinkError, match=f"cannot be opened: .*{why}") as caught:
        DeviceSession(url)
    assert "\n" not in str(caught.value)


def test_a_port_that_another_program_uses() -> None:
    _, slave = os.openpty()
    first = open_port(os.ttyname(slave))
    with pytest.raises(LinkError, match="another program uses it: end that one") as caught:
        open_port(os.ttyname(slave))
    assert "\n" not in str(caught.value)
    first.close()
    open_port(os.ttyname(slave)).close()


def test_a_port_that_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(
        LinkError, match=r"Permission denied; join .*dialout.* /etc/udev/rules"
    ) as caught:
        open_port("/dev/ttyACM0")
    assert "\n" not in str(caught.value)


def test_a_terminal_that_is_unplugged() -> None:
    master, slave = os.openpty()
    link = Link(open_port(os.ttyname(slave)))
    os.close(slave)
    os.close(master)
    with pytest.raises(LinkError, match="the serial line is gone: the board was") as caught:
        link.command(Type.COUNTERS)
    assert str(caught.value).endswith("(tinyflash ports lists what is there), and repeat")
    link.close()


def test_a_line_that_takes_nothing() -> None:
    class FullPort(SilentPort):
        def write(self, data: bytes) -> int:
            raise serial.SerialTimeoutException("Write timeout")

    with pytest.raises(LinkError, match="the serial line took nothing for 10 s; unplug the board"):
        Link(FullPort()).command(Type.TRAIN)
