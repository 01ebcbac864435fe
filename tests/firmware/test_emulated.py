"""The firmware on emulated boards, over their serial lines: behaviour, faults, sudden death."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import serial

from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import firmware_size
from tinyflash.errors import BoardError, BuildError, LinkError
from tinyflash.runtime.device import DeviceSession, protocol, session
from tinyflash.runtime.device.frames import Frame, encode
from tinyflash.runtime.device.protocol import Type

SAMPLE = np.random.default_rng(2).integers(-128, 128, 3000).astype(np.int8)
Emulated = tuple[Board, Path]


def test_a_session(emulated: Emulated) -> None:
    board, elf = emulated
    with Emulator(board, elf) as emulator, DeviceSession(emulator, 0x1234ABCD) as device:
        damaged = device.frames_damaged  # a greeting may reach a board that is still starting
        assert device.info.board == board.name
        assert device.info.stack_bytes == board.stack_bytes
        expected = SAMPLE.copy()
        expected[:5] += np.arange(1, 6, dtype=np.int8)
        assert np.array_equal(device.infer(SAMPLE), expected)
        assert device.train_step(SAMPLE, 1, 0.5).predicted == 1
        weights, state = device.weights, device.state
        device.reset()
        device.restore(weights, state)
        assert (device.weights, device.state) == (weights, state)
        assert 100 < device.stack_high_water < 1024
        assert device.frames_damaged == damaged <= 1


def test_floods_and_damaged_frames(emulated: Emulated) -> None:
    board, elf = emulated
    noise = np.random.default_rng(3).integers(0, 256, 20_000, np.uint8).tobytes()
    too_long = encode(Frame(Type.SAMPLE, 1, bytes(range(256)) * 4))
    train = encode(Frame(Type.TRAIN, 77, protocol.TRAIN.pack(2, 0x8000, 0)))
    with Emulator(board, elf) as emulator, DeviceSession(emulator) as device:
        device.train_step(SAMPLE, 1, 0.5)
        port = device._link._port
        for attack in (noise, too_long, train[:9], train[5:], b"\xff" * 5000, train, train):
            port.write(attack)
        assert device.counters().step == 1
        assert device.frames_damaged > 10
        assert device.train_step(SAMPLE, 2, 0.5).predicted == 2
        assert device.counters().step == 2


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (3, "an address without memory.*, at pc 0x[0-9a-f]{8}, address 0x48000000"),
        (4, "undefined instruction, at pc 0x[0-9a-f]{8}"),
        (5, r"stack overflow; raise stack_bytes in its board\.toml"),
    ],
)
def test_a_fault_is_reported_and_ends_the_emulator(
    emulated: Emulated, label: int, text: str
) -> None:
    if "armv6m" in emulated[0].shared and label == 3:
        pytest.skip("this machine of QEMU answers at every address")
    if "armv6m" in emulated[0].shared and label == 4:
        text = "hard fault, at pc 0x[0-9a-f]{8}"  # the core does not say why
    with Emulator(*emulated) as emulator, DeviceSession(emulator) as device:
        with pytest.raises(LinkError, match=text) as caught:
            device.train_step(SAMPLE, label, 0.5)
        assert "\n" not in str(caught.value)
        with pytest.raises(LinkError, match="ended with status 70"):
            device.counters()


# Bits of CFSR that are the guard's: of the memory protection unit, and of the limit of the stack;
# mcause of a store that is denied.
GUARDS = {"armv7m": 0x000000FF, "armv8m": 0x00100000, "riscv": 7}


def test_the_guard_of_the_core_notices_an_overflow(
    emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an access that fails later, by luck."""
    if "armv6m" in emulated[0].shared:
        pytest.skip("the core has no guard; memory ends below its stack")
    bodies: list[bytes] = []
    monkeypatch.setattr(protocol, "fault_text", lambda body: str(bodies.append(body)))
    with (
        Emulator(*emulated) as emulator,
        DeviceSession(emulator) as device,
        pytest.raises(LinkError),
    ):
        device.train_step(SAMPLE, 5, 0.5)
    (part,) = GUARDS.keys() & set(emulated[0].shared)
    _, status, *_, stack_broken = protocol.FAULT.unpack(*bodies)
    assert stack_broken == 1
    assert status & GUARDS[part] == status > 0


def test_an_emulator_that_is_killed_in_the_middle(emulated: Emulated) -> None:
    with Emulator(*emulated) as emulator, DeviceSession(emulator) as device:
        assert emulator.pid is not None
        killer = threading.Timer(0.3, os.kill, (emulator.pid, signal.SIGKILL))
        killer.start()
        start = time.monotonic()
        with pytest.raises(LinkError, match="the emulator was killed by signal 9") as caught:
            while time.monotonic() < start + 30:
                device.infer(SAMPLE)
        killer.join()
        assert "\n" not in str(caught.value)
        assert time.monotonic() < start + 5


def test_an_emulator_that_freezes(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_RUN_S", 0.5)
    with Emulator(*emulated) as emulator, DeviceSession(emulator) as device:
        assert emulator.pid is not None
        device._pieces.send_sample(SAMPLE, protocol.Purpose.INFER)
        monkeypatch.setattr(device._pieces, "send_sample", lambda *_: None)
        os.kill(emulator.pid, signal.SIGSTOP)
        with pytest.raises(LinkError, match=r"the board has not answered for 0\.5 s; restart it"):
            device.infer(SAMPLE)


def test_no_emulator_outlives_its_context(emulated: Emulated) -> None:
    with pytest.raises(ZeroDivisionError), Emulator(*emulated) as emulator:
        pid = emulator.pid
        assert pid is not None
        raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert emulator.why_dead() == "the emulator is not running"


def test_an_image_that_is_none(emulated: Emulated, tmp_path: Path) -> None:
    board, _ = emulated
    with pytest.raises(BuildError, match="is missing"):
        Emulator(board, tmp_path / "none.elf")
    if "riscv" in board.shared:
        pytest.skip("this emulator runs any file")
    bad = tmp_path / "bad.elf"
    bad.write_bytes(b"\x7fELF nothing")
    with (
        Emulator(board, bad) as emulator,
        pytest.raises(LinkError, match=r"(ended with status|killed by signal) \d") as caught,
    ):
        DeviceSession(emulator)
    assert "\n" not in str(caught.value)


def test_counted_runs_take_the_same_time(emulated: Emulated) -> None:
    board, elf = emulated
    ticks = []
    for _ in range(2):
        with Emulator(board, elf, counted=True) as emulator, DeviceSession(emulator) as device:
            device.infer(SAMPLE)
            ticks.append(device.last_ticks)
    assert board.qemu is not None
    instructions = ticks[0] / board.qemu.ticks_per_instruction
    assert 3000 < instructions < 60_000  # a few for each of 3000 bytes
    assert abs(ticks[0] - ticks[1]) <= 2


def test_a_second_host_finds_the_device_as_the_first_left_it(emulated: Emulated) -> None:
    with Emulator(*emulated) as emulator:
        with DeviceSession(emulator) as device:
            device.train_step(SAMPLE, 1, 0.5)
            weights = device.weights
        with DeviceSession(emulator.url) as device:
            assert device.counters().step == 1
            assert device.weights == weights


def test_a_plain_serial_port_sees_the_greeting(emulated: Emulated) -> None:
    with Emulator(*emulated) as emulator, serial.serial_for_url(emulator.url, timeout=5) as port:
        ready = encode(Frame(Type.READY, 0))
        assert port.read(len(ready)) == ready


def test_a_real_board_is_not_emulated(emulated: Emulated) -> None:
    board, elf = emulated
    with pytest.raises(BoardError, match="is not emulated"):
        Emulator(replace(board, qemu=None), elf)


def test_the_image_is_within_the_board(emulated: Emulated) -> None:
    board, elf = emulated
    size = firmware_size(elf)
    assert size.stack_bytes == board.stack_bytes
    assert 6000 + 1500 + 56 < size.static_bytes < 6000 + 1500 + 56 + 1400
    assert size.flash_bytes < (12_000 if board.store is None else 16_000)
