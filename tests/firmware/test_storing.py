"""SAVE, LOAD and FACTORY: firmware on this computer, whose flash outlives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.test_restoring import bias_rows, limit_of, with_bias
from tests.support.firmware import FLASH, with_store
from tests.support.pipes import PipePort

from tinyflash.compiler import Compiled
from tinyflash.errors import LinkError
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.store import HostFlash, HostStore
from tinyflash.runtime.store import Stored

Start = Callable[..., DeviceSession]
CUT = 72  # the exit code of a power cut


@pytest.fixture(scope="module", name="program")
def _program(learner: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_store(learner, tmp_path_factory.mktemp("store"))


@pytest.fixture(name="flash")
def _flash(tmp_path: Path) -> Path:
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\xff" * FLASH.size)
    return path


@pytest.fixture(name="power_on")
def _power_on(
    program: Path, flash: Path, ports: list[PipePort], monkeypatch: pytest.MonkeyPatch
) -> Start:
    """Starts the firmware, with faults of its flash by name."""

    def start(**faults: int) -> DeviceSession:
        monkeypatch.setenv("FLASH", str(flash))
        for name in ("CUT", "STUCK"):
            monkeypatch.delenv(name, raising=False)
        for name, number in faults.items():
            monkeypatch.setenv(name, str(number))
        port = PipePort(program)
        ports.append(port)
        return DeviceSession(Link(port, lambda: "cut" if port.process.poll() == CUT else None))

    return start


def learn(device: DeviceSession, steps: int = 3) -> None:
    x = np.random.default_rng(steps).integers(-128, 128, (4, device.info.input_bytes))
    for step in range(steps):
        device.train_step(x[step % 4].astype(np.int8), step % device.info.classes, 0.05)


def learned_by(device: DeviceSession) -> tuple[bytes, bytes]:
    return device.weights, device.state


def test_what_was_saved_is_there_after_a_start(power_on: Start, learner: Compiled) -> None:
    device = power_on()
    assert device.info.stores
    assert device.weights == learner.program.weights
    learn(device)
    saved = learned_by(device)
    report = device.save()
    assert (report.number, report.stored, report.slots) == (1, Stored.LEARNED, 4)
    learn(device, 2)
    assert learned_by(device) != saved

    again = power_on()
    assert learned_by(again) == saved
    learn(again, 2)
    later = learned_by(again)
    assert again.load().number == 1
    assert learned_by(again) == saved
    learn(again, 2)
    assert learned_by(again) == later  # it goes on where the saved one was
    assert again.save().number == 2
    assert learned_by(power_on()) == later


def test_factory_erases_what_was_saved(power_on: Start, learner: Compiled, flash: Path) -> None:
    device = power_on()
    learn(device)
    weights = device.weights
    device.save()
    assert weights in flash.read_bytes()
    assert device.factory().stored is Stored.FACTORY
    assert learned_by(device) == (learner.program.weights, learner.program.state)
    assert weights not in flash.read_bytes()
    assert device.load().stored is Stored.FACTORY
    assert power_on().weights == learner.program.weights


def test_a_cut_leaves_the_old_or_the_new(power_on: Start, flash: Path) -> None:
    device = power_on()
    learn(device)
    old = learned_by(device)
    device.save()
    learn(device, 2)
    new = learned_by(device)
    before = flash.read_bytes()
    seen = set()
    # a sector has 2,048 words to erase; the data of a record follow, then its head
    for words in (0, 1, 2047, 2048, 2050, 2300, 10_000):
        flash.write_bytes(before)
        cut = power_on(CUT=words)
        cut.restore(*new)
        if words < 10_000:
            with pytest.raises(LinkError, match="cut"):
                cut.save()
        else:
            cut.save()
        found = learned_by(power_on())
        assert found in (old, new)
        seen.add(found)
        assert found == (new if words == 10_000 else old)
    assert seen == {old, new}


def test_a_flash_that_does_not_keep_what_is_written(power_on: Start) -> None:
    device = power_on()
    learn(device)
    device.save()  # in slot 0
    kept = learned_by(device)
    learn(device, 2)
    stuck = power_on(STUCK=FLASH.sector_bytes + 3)  # in the head of slot 1
    learn(stuck, 1)
    assert stuck.save().number == 3  # the next slot took it
    assert learned_by(power_on(STUCK=FLASH.sector_bytes + 3)) == learned_by(stuck) != kept


def test_half_written_weights_are_not_saved(power_on: Start, learner: Compiled) -> None:
    device = power_on()
    device._pieces.order(Type.RESTORE, learner.program.hash.to_bytes(4, "little") + b"\x02")
    with pytest.raises(LinkError, match="partly written"):
        device.save()
    device.load()  # replaces them
    assert device.weights == learner.program.weights
    device.save()


def test_without_a_flash(power_on: Start, flash: Path) -> None:
    flash.unlink()
    device = power_on()
    assert not device.info.stores
    with pytest.raises(LinkError, match=r"board host has no flash to save to; describe one in its"):
        device.save()
    for kind in (Type.SAVE, Type.LOAD, Type.FACTORY):
        with pytest.raises(LinkError, match="has no flash to save to"):
            device._link.command(kind)


def test_a_firmware_without_a_store_does_not_know_the_commands(guarded: DeviceSession) -> None:
    assert not guarded.info.stores
    with pytest.raises(LinkError, match="does not know the command"):
        guarded._link.command(Type.SAVE)


@pytest.mark.parametrize("what", ["bias", "state"])
def test_a_forged_record_is_refused(
    what: str, power_on: Start, flash: Path, learner: Compiled
) -> None:
    """Its CRC is right, its numbers are none that this model has."""
    program = learner.program
    session, forged = HostSession(program), HostFlash(FLASH)
    if what == "bias":
        row = bias_rows(program)[0]
        session.weights = with_bias(program, row, 0, limit_of(program, row) + 1)
    else:
        state = bytearray(program.state)
        state[-12] = 100  # an exponent of the last scale
        session.state = bytes(state)
    assert HostStore(forged, session).save() == 0
    flash.write_bytes(forged.cells)
    device = power_on()
    assert learned_by(device) == (program.weights, program.state)
    with pytest.raises(LinkError, match="has a flash that cannot be read"):
        device.load()
    assert device.weights == program.weights
