"""The rate of a serial line: raised as far as board, port and line can, and given up when one of
them fails."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import MODEL
from tests.support.pairing import KEY
from tests.support.pipes import PipePort
from tests.support.rates import PATIENCE, RatedPort, build, link_to

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.errors import LinkError
from tinyflash.runtime.device import DeviceSession, protocol
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.port import open_port
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.rate import BASE, HIGHER, LineRate

SAMPLE = np.random.default_rng(3).integers(-128, 128, 3000).astype(np.int8)
BEGIN = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8)
Start = Callable[..., RatedPort]


@pytest.fixture(scope="module", name="rated")
def _rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(MODEL, tmp_path_factory.mktemp("rated") / "firmware")


@pytest.fixture(name="paired_program")
def _paired_program(paired: tuple[str, ...], tmp_path: Path) -> Path:
    return build(MODEL, tmp_path / "firmware", *paired)


@pytest.fixture(name="begin")
def _begin(rated: Path, ports: list[PipePort]) -> Start:
    def begin(program: Path = rated, **limits: int) -> RatedPort:
        port = RatedPort(program, **limits)
        ports.append(port)
        return port

    return begin


def learn(device: DeviceSession, steps: int = 1) -> None:
    for _ in range(steps):
        device.train_step(SAMPLE, 1, 0.5)


def check_learned(device: DeviceSession, steps: int) -> None:
    """Each sample was learned once."""
    learned = sum((SAMPLE[:1500] + np.int8(1) for _ in range(steps)), BEGIN)
    assert device.weights == learned.tobytes()
    assert device.counters().step == steps


@pytest.mark.parametrize(
    ("limits", "rate", "failed"),
    [
        ({}, 2_000_000, []),  # all that the board can have
        ({"has": 1_000_000}, 1_000_000, []),
        ({"has": 500_000}, 460_800, []),
        ({"carries": 1_000_000}, 1_000_000, [2_000_000]),
        ({"carries": 500_000}, 460_800, [2_000_000, 1_000_000]),
        ({"carries": 230_400}, BASE, [2_000_000, 1_000_000, 460_800]),
    ],
)
def test_the_highest_rate_that_all_can(
    begin: Start, limits: dict[str, int], rate: int, failed: list[int]
) -> None:
    port = begin(**limits)
    with DeviceSession(link_to(port)) as device:
        assert (device.baud, device.failed_rates) == (rate, failed)
        learn(device)
        check_learned(device, 1)
        assert port.baudrate == rate
    with DeviceSession(Link(port)) as device:  # the board was left at its first rate
        check_learned(device, 1)


def test_a_limit_of_the_user(begin: Start) -> None:
    port = begin()
    with DeviceSession(link_to(port), most_baud=BASE) as device:
        learn(device)
    assert port.heard == [BASE]
    with DeviceSession(link_to(port), most_baud=500_000) as device:
        assert device.baud == 460_800


def left_by_a_killed_host(port: RatedPort) -> None:
    """The board is at a high rate, and the port as a new process opens it."""
    device = DeviceSession(link_to(port))
    learn(device)
    assert device.baud == 2_000_000
    port.baudrate = BASE


def test_a_host_finds_a_board_at_a_high_rate(begin: Start) -> None:
    port = begin()
    left_by_a_killed_host(port)
    port.heard.clear()
    with DeviceSession(link_to(port)) as device:
        assert device.baud == 2_000_000
        learn(device)
        check_learned(device, 2)
    assert port.heard[0] == BASE


def test_a_host_finds_it_and_wants_another_rate(begin: Start) -> None:
    port = begin()
    left_by_a_killed_host(port)
    with DeviceSession(link_to(port), most_baud=BASE) as device:
        assert device.baud == BASE
        check_learned(device, 1)


def test_a_host_that_knows_one_rate_is_heard_as_noise(begin: Start) -> None:
    """So the board is back at its first rate soon."""
    port = begin()
    left_by_a_killed_host(port)
    with DeviceSession(Link(port, patience=PATIENCE)) as device:
        check_learned(device, 1)


def test_a_line_that_gets_worse(begin: Start) -> None:
    port = begin()
    with DeviceSession(link_to(port)) as device:
        learn(device)
        port.carries = 500_000
        learn(device)
        assert device.baud == BASE
        learn(device, 2)
        check_learned(device, 4)


def test_a_board_that_goes_back_alone(begin: Start) -> None:
    """As after a burst of noise between two commands."""
    port = begin()
    with DeviceSession(link_to(port)) as device:
        learn(device)
        PipePort.write(port, struct.pack("<II", BASE, 3) + b"abc")
        time.sleep(1.0)  # longer than the board's doubt
        learn(device)
        assert device.baud == BASE
        check_learned(device, 2)


def test_a_quiet_line_keeps_its_rate(begin: Start) -> None:
    """Only what is no frame makes it doubtful."""
    port = begin()
    with DeviceSession(link_to(port)) as device:
        raised = device.baud
        assert raised > BASE
        learn(device)
        time.sleep(1.0)
        learn(device)
        assert device.baud == port.heard[-1] == raised
        check_learned(device, 2)


def test_a_board_that_restarts_at_a_high_rate_is_noticed(begin: Start, rated: Path) -> None:
    port = begin()
    device = DeviceSession(link_to(port))
    learn(device)
    fresh = begin(rated)
    port.process.stdin.close()  # type: ignore[union-attr]
    port.process.wait()
    port.process, port._to, port._from = fresh.process, fresh._to, fresh._from
    with pytest.raises(LinkError, match="restarted and lost what it had learned"):
        learn(device)


def test_with_pairing(begin: Start, paired_program: Path) -> None:
    port = begin(paired_program, carries=1_000_000)
    with DeviceSession(link_to(port), pairing_key=KEY) as device:
        assert (device.baud, device.failed_rates) == (1_000_000, [2_000_000])
        learn(device)
        port.carries = BASE
        learn(device)
        check_learned(device, 2)
    for kind, body in ((Type.RATES, b""), (Type.RATE, bytes(4)), (Type.ECHO, b"")):
        with pytest.raises(LinkError, match="without the tag of this session"):
            Link(port).command(kind, body)


def test_a_wrong_key_raises_nothing(begin: Start, paired_program: Path) -> None:
    port = begin(paired_program)
    device = DeviceSession(link_to(port), pairing_key=bytes(16))
    assert (device.baud, port.heard) == (BASE, [BASE])


def test_what_the_commands_refuse(begin: Start) -> None:
    link = Link(begin())
    link.open_session(20.0)
    rates = [0, 1, BASE, 1_500_000, 2_000_000, 2_000_001, 2**32 - 1]
    reply = link.command(Type.RATES, struct.pack("<7I", *rates))
    assert struct.unpack("<8I", reply) == (0, 0, 0, BASE, 0, 2_000_000, 2_000_000, 0)
    assert link.command(Type.RATES, bytes(64)) == bytes(68)
    for size in (1, 63, 68):
        with pytest.raises(LinkError, match="wrong length"):
            link.command(Type.RATES, bytes(size))
    for rate in (0, 1_500_000, 3_000_000, 2**32 - 1):
        with pytest.raises(LinkError, match="out of range"):
            link.command(Type.RATE, protocol.RATE.pack(rate))
    assert link.command(Type.RATES) == bytes(4)
    for size in (0, 1, 505):
        text = (bytes(range(256)) * 2)[:size]
        assert link.command(Type.ECHO, text) == text
    with pytest.raises(LinkError, match="wrong length"):
        link.command(Type.ECHO, bytes(506))


class Counted:
    """A port without a rate, as one that has one."""

    baudrate = BASE


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("qemu_stm32f405", {rate: 84_000_000 // round(84_000_000 / rate) for rate in HIGHER}),
        (
            "qemu_microbit",
            {230_400: 231_884, 460_800: 470_588, 921_600: 941_176, 1_000_000: 1_000_000},
        ),
        ("qemu_mps2_an500", {}),  # its part has no rates
    ],
)
def test_the_drivers(name: str, there: dict[int, int], tmp_path: Path) -> None:
    """QEMU's lines have no rate, so that bytes arrive at each. What the UART could do is computed
    from its clock and its divider, or is in the manual."""
    board = load_board(name)
    elf = build_firmware(MODEL, board, tmp_path)
    with Emulator(board, elf) as emulator:
        port = open_port(emulator.url)
        counted = Counted()
        device = DeviceSession(Link(port, emulator.why_dead, line=LineRate(counted)))
        fits = [rate for rate in HIGHER if abs(there.get(rate, 0) - rate) < rate / 40]
        assert device.baud == counted.baudrate == max(fits, default=BASE)
        reply = device._link.command(Type.RATES, struct.pack(f"<{len(HIGHER)}I", *HIGHER))
        changes, *near = struct.unpack(f"<{1 + len(HIGHER)}I", reply)
        assert changes == bool(fits)
        assert near == [there.get(rate, 0) if rate in fits else 0 for rate in HIGHER]
        assert device.counters().step == 0
        device.close()


class Stubborn(Counted):
    """Refuses all but one rate, in a way of its own; then it is gone."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    @property
    def baudrate(self) -> int:  # type: ignore[override]
        return self.asked[-1]

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        self.asked.append(rate)
        if rate != BASE:
            raise ZeroDivisionError


def test_a_port_that_refuses_keeps_its_rate() -> None:
    line = LineRate(Stubborn())
    assert not line.can(460_800)
    assert not line.set(460_800)
    assert line.now == BASE
    assert line.set(BASE)
