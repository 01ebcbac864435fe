"""A paired device takes commands only of hosts with its key, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.commands import refused
from tests.support.firmware import MODEL, build_for_host
from tests.support.learner import SCHEME, learner_graph
from tests.support.lines import on_a_terminal
from tests.support.pairing import KEY
from tests.support.pipes import PipePort, exchange

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import compile_model
from tinyflash.errors import LinkError
from tinyflash.runtime.device import DeviceSession, protocol
from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.siphash import siphash
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

BAD_COMMAND, NOT_PAIRED = 1, 22
TRIES = 10_000
SAMPLE = np.random.default_rng(3).integers(-128, 128, 3000).astype(np.int8)
# SHA-256 of the 64 results of 8 bytes in the table of the authors' implementation (vectors.h): of
# the first n bytes of 0, 1, 2, ..., n = 0 to 63, with the key 0, 1, ... 15.
VECTORS = "0226a91002af9775a791b3ec5a48e643f8848d2d5774dea9be3438d5786bb58e"


def vectors(function: Callable[[bytes, bytes], int]) -> bytes:
    data = bytes(range(64))
    return b"".join(function(KEY, data[:n]).to_bytes(8, "little") for n in range(64))


def test_the_host_computes_the_vectors_of_the_specification() -> None:
    assert siphash(KEY, bytes(range(15))) == 0xA129CA6149BE45E5  # appendix A of the paper
    assert hashlib.sha256(vectors(siphash)).hexdigest() == VECTORS


@pytest.fixture(scope="module", name="paired_firmware")
def _paired_firmware(paired: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_for_host(MODEL, tmp_path_factory.mktemp("paired") / "firmware", *paired)


class RecordedPort(PipePort):
    """What passes to the device is in `sent`."""

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.sent.append(data)
        return super().write(data)


@pytest.fixture(name="port")
def _port(paired_firmware: Path, ports: list[PipePort]) -> RecordedPort:
    port = RecordedPort(paired_firmware)
    ports.append(port)
    return port


def test_a_host_with_the_key_works_as_ever(port: RecordedPort) -> None:
    device = DeviceSession(Link(port), pairing_key=KEY)
    before = device.weights
    device.train_step(SAMPLE, 1, 0.5)
    after = np.frombuffer(before, np.int8) + SAMPLE[:1500] + np.int8(1)
    assert device.weights == after.tobytes()
    assert np.array_equal(device.infer(SAMPLE)[:1500], SAMPLE[:1500] + after)
    device.restore(before, device.state)
    assert device.weights == before
    device.reset()
    assert device.counters().step == 0


def test_a_second_session_has_another_nonce(port: RecordedPort) -> None:
    nonces = set()
    for _ in range(8):
        link = Link(port)
        DeviceSession(link, pairing_key=KEY).counters()
        (reply,) = exchange(port, encode(Frame(Type.PAIR, 77)), 1)
        nonces.add(reply.body)
    assert len(nonces) == 8


def test_a_board_without_a_key_asks_for_no_tag(start: Callable[[], PipePort]) -> None:
    port = start()
    assert DeviceSession(Link(port)).counters().step == 0
    (reply,) = exchange(port, encode(Frame(Type.PAIR, 77)), 1)
    assert reply.body == bytes([BAD_COMMAND])


def spoken(port: RecordedPort) -> list[Frame]:
    """The frames of a session that trains, reads and writes."""
    device = DeviceSession(Link(port), pairing_key=KEY)
    port.sent.clear()
    device.train_step(SAMPLE, 1, 0.5)
    device.restore(device.weights, device.state)
    device.reset()
    device.train_step(SAMPLE, 2, 0.5)
    return list(Decoder().feed(b"".join(port.sent)))


def status(port: RecordedPort, frame: Frame) -> int:
    (reply,) = exchange(port, encode(frame), 1)
    return reply.body[0]


def forged(frame: Frame, random: Random) -> Frame:
    """Another body of the same kind, with any tag; or a bit of the frame changed."""
    body = bytearray(frame.body)
    kind, sequence = frame.type, frame.sequence
    match random.randrange(4):
        case 0:
            body[-8:] = random.randbytes(8)
        case 1:
            body = bytearray(random.randbytes(random.randrange(40)))
        case 2:
            at = random.randrange(8 * len(body))
            body[at // 8] ^= 1 << at % 8
        case 3:
            sequence ^= 1 << random.randrange(8)
    return Frame(kind, sequence, bytes(body))


def test_what_is_forged_or_replayed_is_refused(port: RecordedPort) -> None:
    """Frames as they were, and changed ones, in any order. The last one alone is answered again, as
    a line that loses replies needs; it is not executed again."""
    frames, random = spoken(port), Random(5)
    last = frames.pop()
    link = Link(port)
    for number in range(TRIES):
        frame = random.choice(frames)
        if number % 2:
            frame = forged(random.choice([*frames, last]), random)
        assert frame.type not in (Type.HELLO, Type.PAIR)
        assert status(port, frame) == NOT_PAIRED, (number, frame)
    device = DeviceSession(link, pairing_key=KEY)
    assert device.counters().step == 1
    expected = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8)
    assert device.weights == (expected + SAMPLE[:1500] + np.int8(2)).tobytes()


def test_no_command_is_taken_without_its_tag(port: RecordedPort) -> None:
    """Each but what begins a session; ROWS is no command. Some firmware has no COLLECT, SAVE, LOAD,
    FACTORY and NORMAL."""
    device, random = DeviceSession(Link(port), pairing_key=KEY), Random(11)
    before = device.weights
    elsewhere = {Type.COLLECT, Type.SAVE, Type.LOAD, Type.FACTORY, Type.NORMAL}
    for kind in set(range(1, Type.NORMAL + 1)) - {Type.HELLO, Type.PAIR, Type.ROWS}:
        refusals = {NOT_PAIRED, BAD_COMMAND} if kind in elsewhere else {NOT_PAIRED}
        for count in (0, 9, 25):
            frame = Frame(kind, random.randrange(256), random.randbytes(count))
            assert status(port, frame) in refusals, frame
    assert device.weights == before


class ForgingPort(PipePort):
    """Sends other rows before those of the host, now and then: changed, without a tag, or of an
    earlier run."""

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.random, self.forged = Random(7), 0
        self._earlier: dict[bytes, Frame] = {}  # by offset

    def write(self, data: bytes) -> int:
        for frame in Decoder().feed(data):
            if frame.type == Type.ROWS and self.random.random() < 0.3:
                super().write(encode(self._forged(frame)))
                self.forged += 1
        return super().write(data)

    def _forged(self, frame: Frame) -> Frame:
        earlier = self._earlier.get(frame.body[3:7], frame)
        self._earlier[frame.body[3:7]] = frame
        changed = bytearray(frame.body)
        changed[-12] ^= 1
        kinds = [bytes(changed), frame.body[:-8], bytes(8), b""]
        if earlier.body != frame.body:
            kinds.append(earlier.body)
        return Frame(Type.ROWS, frame.sequence, self.random.choice(kinds))


def test_rows_of_others_are_not_trained_on(
    paired: tuple[str, ...], ports: list[PipePort], tmp_path: Path
) -> None:
    """They count as damaged, and the board asks again; after a run it ignores rows."""
    compiled = compile_model(learner_graph(), SCHEME, seed=9, row_source=True)
    write_model(compiled, tmp_path)
    port = ForgingPort(build_for_host(tmp_path, tmp_path / "firmware", *paired))
    ports.append(port)
    device, host = DeviceSession(Link(port), pairing_key=KEY), HostSession(compiled.program)
    rng = np.random.default_rng(5)
    for step in range(60):
        x = rng.integers(-128, 128, (6, 6, 2)).astype(np.int8)
        assert device.train_step(x, step % 3, 0.05) == host.train_step(x, step % 3, 0.05)
        assert np.array_equal(device.infer(x), host.infer(x))
    assert device.weights == host.weights
    assert 30 < device.frames_damaged <= port.forged


def test_a_session_of_before_a_restart_is_refused(
    port: RecordedPort, paired_firmware: Path, ports: list[PipePort]
) -> None:
    frames = spoken(port)
    again = RecordedPort(paired_firmware)
    ports.append(again)
    Link(again).open_session(20.0)
    (reply,) = exchange(again, encode(Frame(Type.PAIR, 1)), 1)
    assert reply.body[0] == 0
    assert {status(again, frame) for frame in frames} == {NOT_PAIRED}


def test_without_a_nonce_nothing_is_taken(port: RecordedPort) -> None:
    Link(port).open_session(20.0)
    assert status(port, Frame(Type.READ, 1, protocol.READ.pack(1, 0, 8) + bytes(8))) == NOT_PAIRED
    assert status(port, Frame(Type.RESET, 2)) == NOT_PAIRED


def test_the_wrong_key_or_none(paired_firmware: Path, host_firmware: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    with on_a_terminal(paired_firmware) as url:
        said = refused("save", "--port", url)
        assert "takes commands only from hosts with its pairing key" in said
    wrong = bytes(16)
    with (
        on_a_terminal(paired_firmware) as url,
        DeviceSession(url, pairing_key=wrong) as device,
        pytest.raises(LinkError, match="without the tag of this session; is this its pairing key"),
    ):
        device.counters()
    key.write_text(KEY.hex() + "\n")
    with on_a_terminal(host_firmware) as url:
        said = refused("save", "--port", url, "--pairing-key", key)
        assert "has no pairing key; build it with --pairing-key" in said
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "is not a regular file")):
        said = refused("save", "--port", "/dev/null", "--pairing-key", path)
        assert f"{path} cannot be read (" in said and why in said
    key.write_text("not a key")
    assert "is not a pairing key, which has 32 hex" in refused(
        "save", "--port", "/dev/null", "--pairing-key", key
    )


def test_an_image_with_a_key(tmp_path: Path) -> None:
    """Built as users build it, on an emulated board."""
    board = load_board("qemu_stm32f405")
    elf = build_firmware(MODEL, board, tmp_path, pairing_key=KEY)
    with Emulator(board, elf) as emulator, DeviceSession(emulator, pairing_key=KEY) as device:
        device.train_step(SAMPLE, 1, 0.5)
        assert device.counters().step == 1
    with (
        Emulator(board, elf) as emulator,
        pytest.raises(LinkError, match="only from hosts with its pairing key"),
    ):
        DeviceSession(emulator)
