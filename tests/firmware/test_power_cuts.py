"""An emulated board that saves what it learned, and whose power goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.firmware import MODEL

from tinyflash.boards import load_board
from tinyflash.boards.emulator import FLASH, Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.errors import BoardError, LinkError, TinyflashWarning
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.store import Stored

BOARD = load_board("qemu_stm32f405")


@pytest.fixture(scope="module", name="elf")
def _elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(MODEL, BOARD, tmp_path_factory.mktemp("store"))


def learned(elf: Path, folder: Path) -> tuple[bytes, bytes]:
    """What the board has after a start."""
    with Emulator(BOARD, elf, flash=folder) as emulator, DeviceSession(emulator) as device:
        return device.weights, device.state


def test_a_board_goes_on_where_it_saved(elf: Path, tmp_path: Path) -> None:
    with Emulator(BOARD, elf, flash=tmp_path) as emulator, DeviceSession(emulator) as device:
        compiled = device.weights, device.state
        weights = bytes(b ^ 1 for b in device.weights)
        device.weights = weights
        report = device.save()
        assert (report.number, report.stored, report.slots) == (1, Stored.LEARNED, 2)
        device.weights = compiled[0]
    assert learned(elf, tmp_path) == (weights, compiled[1])
    with Emulator(BOARD, elf, flash=tmp_path) as emulator, DeviceSession(emulator) as device:
        assert device.factory().number == 2
    assert learned(elf, tmp_path) == compiled


@pytest.mark.parametrize("words", [0, 20_000, 32_768, 32_770])
def test_a_cut_during_a_save_leaves_what_was_saved_before(
    words: int, elf: Path, tmp_path: Path
) -> None:
    """A sector has 32,768 words to erase; the data of a record follow, then its head."""
    with Emulator(BOARD, elf, flash=tmp_path) as emulator, DeviceSession(emulator) as device:
        device.save()
        old = device.weights, device.state
    faults = {"cut": words, "tear": 2}
    with (
        Emulator(BOARD, elf, flash=tmp_path, faults=faults) as emulator,
        DeviceSession(emulator) as device,
    ):
        device.weights = bytes(b ^ 1 for b in old[0])
        with pytest.raises(LinkError, match="the emulator lost its power"):
            device.save()
    assert learned(elf, tmp_path) == old


def test_a_stuck_bit_is_noticed(elf: Path, tmp_path: Path) -> None:
    """In the second slot, the only one that is free: bit 5 of its head."""
    at = BOARD.store.sector_bytes if BOARD.store else 0
    faults = {"stuck_at": at, "stuck_mask": 32, "stuck_bits": 32}
    with (
        Emulator(BOARD, elf, flash=tmp_path, faults=faults) as emulator,
        DeviceSession(emulator) as device,
    ):
        assert device.save().number == 1
        with pytest.raises(LinkError, match="does not keep what is written"):
            device.save()
        assert device.load().number == 2  # the number of the failed one is used up


def test_without_a_folder_a_board_has_no_flash(elf: Path) -> None:
    with Emulator(BOARD, elf) as emulator, DeviceSession(emulator) as device:
        assert not device.info.stores


def test_a_file_of_another_board_is_kept(elf: Path, tmp_path: Path) -> None:
    """The folder of a model may serve several boards, and nothing saved is lost."""
    assert BOARD.store is not None
    (tmp_path / FLASH).write_bytes(b"\xa5" * 1000)
    with pytest.warns(
        TinyflashWarning, match=r"another board .*; it is now flash\.old\.bin"
    ) as told:
        Emulator(BOARD, elf, flash=tmp_path)
    assert len(told) == 1
    assert (tmp_path / "flash.old.bin").read_bytes() == b"\xa5" * 1000
    assert (tmp_path / FLASH).read_bytes() == b"\xff" * BOARD.store.size


def test_a_board_without_a_store(elf: Path, tmp_path: Path) -> None:
    other = replace(BOARD, store=None)
    with pytest.raises(BoardError, match="board qemu_stm32f405 has no flash to save to"):
        Emulator(other, elf, flash=tmp_path)
