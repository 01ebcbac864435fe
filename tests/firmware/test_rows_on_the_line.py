"""Samples that come by rows: the same bytes, whatever the line does and whoever is on it."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import UNLIKE, with_guard
from tests.support.graphs import Net, same
from tests.support.learner import SCHEME
from tests.support.pipes import NoisyPort, PipePort, exchange

from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import LinkError
from tinyflash.graph import Graph
from tinyflash.runtime.device import DeviceSession, protocol
from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.port import Port
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.rows import Rows
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

SHAPE = (9, 120, 5)  # a row is longer than a frame
RATE = 0.05
TRAIN = protocol.TRAIN.pack(1, 0x8000, -5)


def samples() -> np.ndarray:
    """Two of smooth rows, which code well, and one of noise, which does not."""
    random = np.random.default_rng(7)
    noise = random.integers(-128, 128, (3, *SHAPE)).astype(np.int8)
    noise[:2] = np.cumsum(random.integers(-2, 3, (2, *SHAPE)), axis=2).astype(np.int8)
    return noise


SAMPLES = samples()


@pytest.fixture(scope="module")
def graph() -> Graph:
    net = Net(np.random.default_rng(8))
    x = net.conv2d(net.input(SHAPE), 6, same(SHAPE, 3, stride=3))
    return net.graph(net.fully_connected(net.reshape(x, (1, 3 * 40 * 6)), 4))


def compiled(graph: Graph, row_source: bool) -> Compiled:
    return compile_model(graph, SCHEME, seed=9, row_source=row_source)


@pytest.fixture(scope="module")
def by_rows(graph: Graph) -> Compiled:
    return compiled(graph, row_source=True)


@pytest.fixture(scope="module")
def expected(graph: Graph) -> HostSession:
    """The host, with whole pictures, after three steps."""
    session = HostSession(compiled(graph, row_source=False).program)
    three_steps(session)
    return session


def three_steps(session: HostSession | DeviceSession) -> None:
    for label, sample in enumerate(SAMPLES):
        session.train_step(sample, label, RATE)


@pytest.fixture(scope="module")
def firmware(by_rows: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_guard(by_rows, tmp_path_factory.mktemp("rows"))


@pytest.fixture
def begin(firmware: Path, ports: list[PipePort]) -> Callable[[], PipePort]:
    def start() -> PipePort:
        ports.append(PipePort(firmware))
        return ports[-1]

    return start


def test_rows_over_the_line_give_the_same_bytes(
    begin: Callable[[], PipePort], expected: HostSession
) -> None:
    with DeviceSession(Link(begin())) as device:
        assert device.info.row_bytes == 600
        three_steps(device)
        assert (device.weights, device.state) == (expected.weights, expected.state)
        assert np.array_equal(device.infer(SAMPLES[0]), expected.infer(SAMPLES[0]))


@pytest.mark.parametrize("board", UNLIKE, ids=lambda board: board.name)
def test_and_on_boards(
    board: Board, by_rows: Compiled, expected: HostSession, tmp_path: Path
) -> None:
    write_model(by_rows, tmp_path)
    elf = build_firmware(tmp_path, board, tmp_path)
    with Emulator(board, elf) as emulator, DeviceSession(emulator) as device:
        three_steps(device)
        assert (device.weights, device.state) == (expected.weights, expected.state)
        assert np.array_equal(device.infer(SAMPLES[2]), expected.infer(SAMPLES[2]))
        wants = unanswered(device._link._port)
        assert wants == [Frame(Type.WANT, 200, wants[0].body)] * 2  # by the board's own clock
        assert device.counters().step == 3


def unanswered(port: Port) -> list[Frame]:
    """What a board asks in a step whose rows do not come, twice."""
    port.write(encode(Frame(Type.TRAIN, 200, TRAIN)))
    decoder, frames = Decoder(), []
    while len(frames) < 2:
        frames += decoder.feed(port.read(64))
    return frames


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_line(
    seed: int, firmware: Path, ports: list[PipePort], expected: HostSession
) -> None:
    port = NoisyPort(firmware)
    ports.append(port)
    port.arm(seed, 0.25)
    link = Link(port, patience=0.05)
    with DeviceSession(link) as device:
        three_steps(device)
        assert (device.weights, device.state) == (expected.weights, expected.state)
        assert device.frames_damaged + link.repeated > 0


def test_a_guard_judges_by_whole_samples(begin: Callable[[], PipePort], graph: Graph) -> None:
    host = HostSession(compiled(graph, row_source=True).program)
    with DeviceSession(Link(begin())) as device:
        reports = []
        for session in (host, device):
            session.start_guard(SAMPLES, np.arange(3), every=1, tolerance=0)
            three_steps(session)
            reports.append(session.finish_guard())
        assert reports[0] == reports[1]
        assert device.weights == host.weights


# ---- A line without a host, or with a bad one ---------------------------------------------------


class Asked:
    """Firmware in the middle of a training step, waiting for rows."""

    def __init__(self, port: PipePort) -> None:
        self.port = port
        self.device = DeviceSession(Link(port))
        self.before = self.device.weights, self.device.state
        (self.want,) = exchange(port, encode(Frame(Type.TRAIN, 200, TRAIN)), 1)

    def rows(self, body: bytes, sequence: int = 200) -> bytes:
        return encode(Frame(Type.ROWS, sequence, body))

    def until(self, sequence: int) -> Iterator[Frame]:
        """Frames, up to the first that a later step asks with."""
        while True:
            for frame in exchange(self.port, b"", 1):
                if (frame.type, frame.sequence) == (Type.WANT, sequence):
                    return
                yield frame

    def is_unchanged(self) -> bool:
        """A step that failed has changed nothing, and the next one works."""
        after = self.device.weights, self.device.state
        self.device.train_step(SAMPLES[0], 0, RATE)
        return after == self.before and self.device.counters().step == 1


@pytest.fixture
def asked(begin: Callable[[], PipePort]) -> Asked:
    return Asked(begin())


NO_ROWS = b"\x13"


def piece(group: int, stride: int, offset: int, count: int, data: bytes) -> bytes:
    return protocol.ROWS_HEAD.pack(group, stride, offset, count) + data


def test_a_model_that_reads_rows_has_no_replay_buffer(begin: Callable[[], PipePort]) -> None:
    device, start = DeviceSession(Link(begin())), struct.pack("<BII", 1, 1, 0)
    with pytest.raises(LinkError, match="a model that cannot have one"):
        device._link.command(Type.REPLAY, start, size=16)


def test_the_device_asks_for_the_first_rows(asked: Asked) -> None:
    assert (asked.want.type, asked.want.sequence) == (Type.WANT, 200)
    offset, count = protocol.parse_want(asked.want.body)
    assert offset == 0
    assert count % 600 == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", b"\x02"),
        (bytes(8), b"\x02"),
        (piece(0, 0, 0, 0, b""), b"\x03"),
        (piece(0, 0, 0, 65535, b""), b"\x03"),
        (piece(0, 0, 0, 6000, bytes(400)), b"\x03"),
        (piece(0, 0, 0, 64, bytes(63)), b"\x04"),
        (piece(0, 0, 0, 64, bytes(65)), b"\x04"),
        (piece(5, 5, 0, 64, b"\xff" * 40), b"\x04"),
        (piece(5, 65535, 0, 64, b""), b"\x04"),
    ],
)
def test_a_piece_that_is_wrong_ends_the_step(asked: Asked, body: bytes, status: bytes) -> None:
    (reply,) = exchange(asked.port, asked.rows(body), 1)
    assert (reply.type, reply.body) == (Type.TRAIN | protocol.REPLY, status)
    assert asked.is_unchanged()


def test_pieces_of_other_times_are_ignored(asked: Asked) -> None:
    good = piece(0, 0, 0, 64, bytes(64))
    stale = asked.rows(good, sequence=199) + asked.rows(piece(0, 0, 64, 64, bytes(64)))
    (want,) = exchange(asked.port, stale + asked.rows(good), 1)
    assert protocol.parse_want(want.body)[0] == 64
    (reply,) = exchange(asked.port, asked.rows(good) + asked.rows(piece(0, 0, 64, 0, b"")), 1)
    assert reply.body == b"\x03"  # not of the piece that came twice, but of the bad one


def test_the_command_once_more_is_answered_by_what_is_wanted(asked: Asked) -> None:
    assert exchange(asked.port, encode(Frame(Type.TRAIN, 200, TRAIN)), 1) == [asked.want]
    assert exchange(asked.port, b"\0damage\0", 1) == [asked.want]


def test_a_host_that_is_gone_ends_the_step(asked: Asked) -> None:
    """The device asks for some seconds, and gives up."""
    frames = exchange(asked.port, b"", 20)
    assert frames[:-1] == [asked.want] * 19
    assert (frames[-1].type, frames[-1].body) == (Type.TRAIN | protocol.REPLY, NO_ROWS)
    assert asked.is_unchanged()


def test_another_host_ends_the_step(asked: Asked) -> None:
    asked.port.write(encode(Frame(Type.HELLO, 0)))
    assert asked.is_unchanged()
    with DeviceSession(Link(asked.port)) as device:
        assert device.train_step(SAMPLES[1], 1, RATE).predicted in range(3)


def test_a_command_in_between_is_executed_and_the_step_is_not(asked: Asked) -> None:
    failed, counters = exchange(asked.port, encode(Frame(Type.COUNTERS, 201)), 2)
    assert (failed.type, failed.body) == (Type.TRAIN | protocol.REPLY, NO_ROWS)
    assert counters.type == Type.COUNTERS | protocol.REPLY
    assert struct.unpack_from("<I", counters.body, 1) == (0,)


def test_rows_that_come_late_do_not_undo_the_memory_of_a_command(asked: Asked) -> None:
    """Else a host that missed the reply would have the step done twice."""
    serve = Rows(SAMPLES[0].reshape(-1).view(np.uint8), SHAPE, 480).serve
    frame = asked.want
    while frame.type == Type.WANT:
        rows = asked.rows(serve(*protocol.parse_want(frame.body)))
        (frame,) = exchange(asked.port, rows, 1)
    command = encode(Frame(Type.TRAIN, 200, TRAIN))
    assert exchange(asked.port, rows + command, 1) == [frame]
    assert asked.device.counters().step == 1


def test_any_pieces_at_all(asked: Asked) -> None:
    """Under sanitizers: nothing that comes is written beside the rows that were wanted."""
    random = np.random.default_rng(11)
    sequence, ended = 200, Counter[int]()
    for _ in range(300):
        head = protocol.ROWS_HEAD.pack(
            *(int(random.integers(0, 7)), int(random.integers(0, 700))),
            *(int(random.choice([0, 0, 0, 64])), int(random.integers(0, 900))),
        )
        data = random.integers(0, 256, int(random.integers(0, 490)), np.uint8).tobytes()
        following = sequence % 255 + 1
        command = encode(Frame(Type.TRAIN, following, TRAIN))  # ends a step that goes on
        asked.port.write(asked.rows(head + data, sequence) + command)
        for frame in asked.until(following):
            ended[frame.body[0]] += frame.type == Type.TRAIN | protocol.REPLY
        sequence = following
    assert ended[4] > 100 and ended[19] > 50, ended
    asked.port.write(encode(Frame(Type.HELLO, 0)))
    assert asked.is_unchanged()


def test_a_device_that_asks_for_what_there_is_not() -> None:
    rows = Rows(np.zeros(100, np.uint8), (10, 10), 400)
    assert len(rows.serve(90, 10)) > 9
    for offset, count in ((90, 11), (0, 0), (101, 1), (2**32 - 1, 2)):
        with pytest.raises(LinkError, match="of a sample of 100; rebuild and flash"):
            rows.serve(offset, count)
