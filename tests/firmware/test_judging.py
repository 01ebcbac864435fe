"""What is normal, judged by the firmware over the link, under sanitizers: the host's verdicts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.devices import FakePort, info_body
from tests.support.firmware import FLASH, build_for_host, with_store
from tests.support.graphs import Net
from tests.support.pipes import PipePort

from tinyflash.compiler import Compiled, compile_model, prepare
from tinyflash.errors import DataError, LinkError, TinyflashError
from tinyflash.runtime.device.frames import Frame
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.normal import Action
from tinyflash.runtime.device.protocol import RESTORE, Info, Purpose, Type
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import HostJudge
from tinyflash.runtime.normal import HeldScores, Judge
from tinyflash.runtime.state import unpack
from tinyflash.scheme import parse_scheme

SIZE = 700  # values of input and output: SCORE takes them in two pieces
SCHEME = "loss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true\nweights = 1.0"


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    net = Net(np.random.default_rng(5))
    x = net.reshape(net.input((1, 1, SIZE)), (1, SIZE))
    graph = net.graph(net.fully_connected(net.fully_connected(x, 3), SIZE))
    return compile_model(prepare(graph, parse_scheme(SCHEME)), seed=3)


@pytest.fixture(scope="module")
def firmware(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_store(compiled, tmp_path_factory.mktemp("judging"))


@pytest.fixture
def device(compiled: Compiled, firmware: Path, tmp_path: Path,
           monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceSession]:  # fmt: skip
    (tmp_path / "flash.bin").write_bytes(b"\xff" * FLASH.size)
    monkeypatch.setenv("FLASH", str(tmp_path / "flash.bin"))
    port = PipePort(firmware)
    with DeviceSession(Link(port), compiled.program) as session:
        yield session
    port.finish()


def pairs(count: int, seed: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    for _ in range(count):
        x = random.integers(-60, 60, SIZE).astype(np.int8)
        yield x, (x // 2).astype(np.int8)


def refused(device: DeviceSession, why: str, body: bytes) -> None:
    with pytest.raises(LinkError, match=why):
        device._link.command(Type.NORMAL, body)


def test_a_device_judges_as_the_host(device: DeviceSession, compiled: Compiled) -> None:
    """After learning, too; a saved threshold is there after LOAD, and not after RESET."""
    host = HostSession(compiled.program)
    there, here = device.judge(), HostJudge(host)
    both: tuple[Judge, ...] = (there, here)
    for number, (x, target) in enumerate(pairs(14)):
        for session in (device, host):
            if number < 2:
                session.train_on_target(x, target, 0.01)
        assert there.score(x, target) == here.score(x, target)
        assert there.hold() == here.hold()
    first, second = (judge.set(2) for judge in both)
    assert first == second
    assert (first.held, first.threshold > 0) == (14, True)
    assert device.state == host.state
    verdicts = []
    for x, target in pairs(20, seed=2):
        found = there.score(x, target)
        assert found == here.score(x, target) == here.tell() == there.tell()
        verdicts.append(found.abnormal)
    assert {*verdicts} == {False, True}
    device.save()
    device.reset()
    assert there.tell().threshold == 0
    device.load()
    assert there.tell().threshold == first.threshold
    assert (device.weights, device.state) == (host.weights, host.state)


def test_what_is_held_can_go_on(device: DeviceSession, compiled: Compiled) -> None:
    here, there = HostJudge(HostSession(compiled.program)), device.judge()
    for x, target in pairs(9):
        here.score(x, target)
        here.hold()
    assert here.held.count == 9
    there.resume(here.held)
    assert there.set(8).threshold == here.set(8).threshold > 1
    assert device._link.command(Type.NORMAL, bytes([Action.CLEAR]))[8:12] == bytes(4)
    for judge in (here, there):
        assert judge.resume() == judge.resume(HeldScores())
        with pytest.raises(TinyflashError, match="rank"):
            judge.set(1)
        assert judge.tell().threshold == there.tell().threshold
    there.resume(HeldScores(2**32 - 1, (0,) * 8))
    assert there.set(1).threshold == 1
    assert unpack(device.state)[0].probability == 1 << 5


def test_a_score_needs_a_whole_output(device: DeviceSession) -> None:
    judge, (x, target) = device.judge(), next(pairs(1))
    piece = struct.pack("<BI", Action.SCORE, 0) + bytes(400)
    refused(device, "has no output", piece)
    device.infer(x)
    refused(device, "no complete sample", bytes([Action.HOLD]))
    device._link.command(Type.NORMAL, piece)
    assert not judge.tell().abnormal
    refused(device, "no complete sample", bytes([Action.HOLD]))
    for offset, count in ((399, 1), (401, 1), (400, 301), (2**32 - 1, 1)):
        refused(device, "out of range", struct.pack("<BI", Action.SCORE, offset) + bytes(count))
    device.infer(x)  # another output: the piece of before is no part of its score
    refused(device, "out of range", struct.pack("<BI", Action.SCORE, 400) + bytes(300))
    whole = judge.score(x, target)
    judge.hold()
    refused(device, "no complete sample", bytes([Action.HOLD]))
    assert judge.score(x, target).score == whole.score
    device._pieces.send_sample(x, Purpose.TRAIN)
    refused(device, "no complete sample", bytes([Action.HOLD]))
    refused(device, "has no output", piece)


def test_bodies_and_actions(device: DeviceSession, compiled: Compiled) -> None:
    for action, size in ((0, 1), (1, 1), (2, 4), (3, 1), (4, 3), (4, 5), (5, 35), (5, 37)):
        refused(device, "wrong length", bytes([action]) + bytes(size))
    refused(device, "out of range", bytes([6]))
    refused(device, "too few scores", struct.pack("<BI", Action.SET, 1))
    refused(device, "too few scores", struct.pack("<BI", Action.SET, 0))
    device._link.command(Type.RESTORE, RESTORE.pack(compiled.program.hash, 4))
    refused(device, "partly written", bytes([Action.TELL]))
    device.reset()
    with pytest.raises(DataError, match="a target of 699 values"):
        device.judge().score(*(part[1:] for part in next(pairs(1))))
    with pytest.raises(DataError, match="no score to hold"):
        HostJudge(HostSession(compiled.program)).hold()


def test_other_firmware(tmp_path: Path) -> None:
    """A model that learns from labels has no command; nor had firmware of before."""
    port = PipePort(build_for_host(Path(__file__).parent / "model", tmp_path / "firmware"))
    with DeviceSession(Link(port)) as session:
        refused(session, "does not know the command", bytes([Action.TELL]))
        with pytest.raises(DataError, match="learns from labels"):
            session.judge()
    port.finish()


def test_firmware_of_before_is_named() -> None:
    """It trains towards targets, and does not know the command: one line says what to do."""
    info = Info(
        *(True, False, True, 128, 1, 600, 56, 4000, 90, 70, 0, 2048, 70, 0),
        board="old",
        model="old",
    )

    def answer(sent: Frame) -> list[Frame | bytes]:
        said = b"\0" + info_body(info) if sent.type == Type.HELLO else b"\1"
        return [Frame(sent.type | 0x80, sent.sequence, said)]

    session = DeviceSession(Link(FakePort(answer)))
    with pytest.raises(LinkError, match="the firmware of old judges nothing"):
        session.judge()
