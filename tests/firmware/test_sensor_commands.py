"""COLLECT: what the firmware answers, on this computer under sanitizers; and a host that believes
nothing of it."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.firmware import MODEL, build_for_host
from tests.support.pipes import PipePort

from tinyflash.errors import LinkError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.device.link import Link, RefusedError
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.sensor import RemoteSensor, parse_sensor

CHANNELS = 3
RING = 600  # bytes
ROOM = RING // (2 * CHANNELS)
SIDE = 20  # of a picture, which is longer than a link frame
BAD_LENGTH, BAD_RANGE, NO_SENSOR, NOT_COLLECTING = 2, 3, 23, 24
SENSOR = MODEL.parent / "host_sensor.c"
Start = Callable[..., RemoteSensor]


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("collects") / "firmware"
    return build_for_host(MODEL, to, f"-DCOLLECT_BYTES={RING}u", more=(SENSOR,))


@pytest.fixture
def link(program: Path, ports: list[PipePort]) -> Link:
    ports.append(PipePort(program))
    link = Link(ports[-1])
    link.open_session(10.0)
    return link


def values(numbers: np.ndarray, each: int = CHANNELS) -> np.ndarray:
    """What host_sensor.c gives."""
    return (7 * numbers[:, np.newaxis] + np.arange(each)).astype(np.int16)


def asked(link: Link, *numbers: int, action: int = 3) -> bytes:
    return link.command(Type.COLLECT, struct.pack(f"<B{len(numbers)}I", action, *numbers))


def refusal(link: Link, *numbers: int, action: int = 3) -> int:
    with pytest.raises(RefusedError) as caught:
        asked(link, *numbers, action=action)
    return caught.value.status


def test_frames_come_once_each_and_in_order(link: Link) -> None:
    sensor = RemoteSensor(link)
    info = sensor.info
    assert (info.shape, info.rate, info.scale, info.room) == ((CHANNELS,), 200.0, 0.5, ROOM)
    assert not info.running
    run = sensor.start().run
    wanted = 0
    while wanted < 300:
        packet = sensor.stream(wanted, wanted)
        assert packet.first == wanted
        numbers = packet.first + np.arange(len(packet.frames))
        assert np.array_equal(packet.frames, values(numbers))
        wanted += len(packet.frames)
        time.sleep(0.01)  # the clock of this firmware goes on in silence only
    info = sensor.stop()
    assert (info.running, info.run, info.lost) == (False, run, 0)
    rest = sensor.stream(wanted, wanted)
    assert rest.next == info.next >= wanted + len(rest.frames)
    assert sensor.start().run != run


def test_what_the_ring_has_dropped_is_a_gap_and_counted_once(link: Link) -> None:
    sensor = RemoteSensor(link)
    sensor.start()
    while sensor.describe().next < 3 * ROOM:
        time.sleep(0.01)
    stopped = sensor.stop()
    for _ in range(2):  # the same gap, asked about twice
        packet = sensor.stream(0, 0)
        assert (packet.first, packet.lost) == (stopped.next - ROOM, stopped.next - ROOM)
    assert np.array_equal(packet.frames[:1], values(np.array([packet.first])))
    inside = sensor.stream(ROOM, 0)
    assert (inside.first, inside.lost) == (packet.first, packet.lost)
    assert sensor.describe().lost == packet.lost


def test_the_device_believes_no_number_of_a_host(link: Link) -> None:
    assert refusal(link, 1, 0, 0, 0) == NOT_COLLECTING
    sensor = RemoteSensor(link)
    run = sensor.start().run
    while sensor.describe().next < 20:
        time.sleep(0.01)
    ahead = sensor.stop().next
    assert refusal(link, run + 1, 0, 0, 0) == NOT_COLLECTING
    assert refusal(link, run, 0, ahead + 1, 0) == BAD_RANGE
    assert refusal(link, run, 11, 10, 0) == BAD_RANGE
    assert refusal(link, run, 0, 0, CHANNELS) == BAD_RANGE
    asked(link, run, 10, 10, 0)
    assert refusal(link, run, 9, 10, 0) == BAD_RANGE  # it said that they are safe
    assert sensor.describe().acknowledged == 10
    assert asked(link, run, 10, ahead, 0)[:4] == struct.pack("<I", ahead)
    for numbers in ((), (run,), (run, 0, 0), (run, 0, 0, 0, 0)):
        assert refusal(link, *numbers) == BAD_LENGTH
    assert refusal(link, 1, action=0) == BAD_LENGTH
    assert asked(link, action=4) == b"\3raw"
    assert refusal(link, action=5) == BAD_RANGE


def test_a_picture_comes_in_parts(ports: list[PipePort], tmp_path: Path) -> None:
    room = 10
    settings = (f"-DCOLLECT_BYTES={room * 2 * SIDE * SIDE}u", f"-DSENSOR_ROWS={SIDE}")
    more = ("-DSENSOR_CHANNELS=1", "-DSENSOR_LENGTH=25")
    program = build_for_host(MODEL, tmp_path / "firmware", *settings, *more, more=(SENSOR,))
    ports.append(PipePort(program))
    sensor = DeviceSession(Link(ports[-1])).sensor()
    assert (sensor.info.shape, sensor.info.length) == ((SIDE, SIDE, 1), 25)
    sensor.start()
    wanted, kept = 0, []
    while wanted < 25:
        packet = sensor.stream(wanted, wanted)
        for number, frame in enumerate(packet.frames, packet.first):
            picture = values(np.array([number]), SIDE * SIDE).reshape(SIDE, SIDE, 1)
            assert np.array_equal(frame, picture)
            kept.append(number)
        wanted = packet.first + len(packet.frames)
        time.sleep(0.01)
    assert len(kept) + packet.lost == 25
    assert kept == sorted(set(kept))


def test_a_frame_larger_than_the_ring_is_refused(ports: list[PipePort], tmp_path: Path) -> None:
    settings = ("-DCOLLECT_BYTES=100u", "-DSENSOR_ROWS=20")
    ports.append(PipePort(build_for_host(MODEL, tmp_path / "f", *settings, more=(SENSOR,))))
    sensor = DeviceSession(Link(ports[-1])).sensor()
    with pytest.raises(LinkError, match="no room for one of its frames"):
        sensor.start()


def test_other_firmware_says_how_to_build_it(start: Callable[[], PipePort]) -> None:
    with pytest.raises(LinkError, match="build it with --collect"):
        DeviceSession(Link(start())).sensor()


class Liar(Link):
    """A device that answers COLLECT with what a test makes of a true answer."""

    def __init__(self, change: Callable[[bytes], bytes], front_end: bytes = b"\3raw") -> None:
        self._change, self.front_end = change, front_end

    def command(self, kind: Type, body: bytes = b"", *_: object, **__: object) -> bytes:
        about = struct.pack("<B10IdI", 1, 5, 40, 0, 0, 100, 200, 1000, 0, 0, 3, 0.5, 0)
        if body[0] == 4:
            return self.front_end
        if body[0] != 3:
            return about + b"\1s\0\0"
        _, _, _, wanted, _ = struct.unpack("<B4I", body)
        frames = values(np.arange(wanted, 40)).tobytes()
        return self._change(struct.pack("<IIIIQ", wanted, 0, 40, 0, 8) + frames)


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: reply[:10],
        lambda reply: reply + b"\0",
        lambda reply: reply + b"\0\0",
        lambda reply: reply + bytes(6),
        lambda reply: reply[:24],
        lambda reply: struct.pack("<I", 9) + reply[4:],
        lambda reply: struct.pack("<I", 41) + reply[4:],
        lambda reply: struct.pack("<I", 30) + reply[4:],
        lambda reply: reply[:4] + struct.pack("<I", 3) + reply[8:],
        lambda reply: reply[:8] + struct.pack("<I", 30) + reply[12:],
        lambda reply: reply[:26],
    ],
)
def test_the_host_believes_no_number_of_a_board(change: Callable[[bytes], bytes]) -> None:
    sensor = RemoteSensor(Liar(lambda reply: reply))
    assert len(sensor.stream(10, 0).frames) == 30
    liar = RemoteSensor(Liar(change))
    with pytest.raises(LinkError, match="answers a request for frames with"):
        liar.stream(10, 0)


@pytest.mark.parametrize("front_end", [b"", b"\4raw", b"\2raw", b"\xff"])
def test_a_front_end_that_is_none(front_end: bytes) -> None:
    with pytest.raises(LinkError, match="wrong front end of its sensor"):
        RemoteSensor(Liar(lambda reply: reply, front_end))


def test_a_front_end_of_a_later_version() -> None:
    info = RemoteSensor(Liar(lambda reply: reply, b"\6wavele")).info
    assert (info.front_end, info.names) == ("wavele", ())
    other = b"spectrogram:rate=200,window=50,bands=4,low=1"  # the board says 3 numbers
    assert RemoteSensor(Liar(lambda reply: reply, bytes([len(other)]) + other)).info.names == ()


def test_no_description_does_harm() -> None:
    random = Random(1)
    true = struct.pack("<B10IdI", 1, 5, 40, 0, 0, 100, 200, 1000, 0, 0, 3, 0.5, 0) + b"\1s\0\0"
    assert parse_sensor(true).rate == 1.0
    for _ in range(3000):
        body = bytearray(true)
        for _ in range(random.randint(1, 6)):
            body[random.randrange(len(body))] = random.choice(
                [0, 1, 127, 255, random.randrange(256)]
            )
        told = bytes(body[: random.choice([len(body), random.randrange(len(body) + 1)])])
        try:
            info = parse_sensor(told)
        except LinkError:
            continue
        assert info.rate > 0
        assert all(side > 0 for side in info.shape)
