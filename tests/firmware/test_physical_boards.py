"""Physical boards, which nobody here has: their images link, and lie where the chip has memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from elftools.elf.elffile import ELFFile

from tinyflash.boards import NOT_RUN, Board, boards, kernels_for
from tinyflash.boards.firmware import build_firmware
from tinyflash.cli import main
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError
from tinyflash.training.open import Ready
from tinyflash.write.model import write_model
from tinyflash.zoo.tasks import load_task

KB = 1024


@dataclass(frozen=True)
class Chip:
    """The memory of a chip as its vendor's header or SVD file has it, where an image may be."""

    flash: range
    sram: range


def memory(start: int, kilobytes: int) -> range:
    return range(start, start + kilobytes * KB)


CHIPS = {
    # stm32f446xx.h: FLASH_BASE to FLASH_END; SRAM1_BASE, 112 KB, and SRAM2_BASE, 16 KB
    "stm32f446_nucleo": Chip(memory(0x08000000, 512), memory(0x20000000, 112 + 16)),
    # stm32f746xx.h: FLASHAXI_BASE; RAMDTCM_BASE, 64 KB, SRAM1_BASE, 240 KB, SRAM2_BASE, 16 KB
    "stm32f746_discovery": Chip(memory(0x08000000, 1024), memory(0x20000000, 64 + 240 + 16)),
    # stm32h743xx.h: FLASH_BANK1_BASE and FLASH_BANK2_BASE, 1 MB each; D1_AXISRAM_BASE
    "stm32h743_nucleo": Chip(memory(0x08000000, 2048), memory(0x24000000, 512)),
    # nrf52840.svd: flash from 0, and 256 KB of RAM
    "nrf52840_dk": Chip(memory(0, 1024), memory(0x20000000, 256)),
}
PHYSICAL = [board for board in boards() if not board.emulated]


@cache
def compiled(task: str, kernels: tuple[str, ...]) -> Compiled:
    """With exponents as they are, which change no size."""
    what = load_task(task)
    return compile_model(what.graph, what.scheme, kernels=kernels)


def test_each_is_known() -> None:
    assert {board.name for board in PHYSICAL} == set(CHIPS)


@pytest.mark.parametrize("board", PHYSICAL, ids=lambda board: board.name)
def test_program_and_store_fill_the_flash(board: Board) -> None:
    chip = CHIPS[board.name]
    assert board.store is not None
    assert board.flash_bytes + board.store.size == len(chip.flash)
    assert board.flash_bytes % board.store.sector_bytes == 0
    assert board.sram_bytes == len(chip.sram)


@pytest.mark.parametrize("task", ["activity", "faces"])
@pytest.mark.parametrize("board", PHYSICAL, ids=lambda board: board.name)
def test_every_address_is_in_the_chip(board: Board, task: str, tmp_path: Path) -> None:
    model = compiled(task, kernels_for(board))
    try:
        Ready.of(model, board)
    except BoardError as error:
        assert (board.name, task) == ("stm32f446_nucleo", "faces"), error
        return
    write_model(model, tmp_path)
    chip = CHIPS[board.name]
    program = range(chip.flash.start, chip.flash.start + board.flash_bytes)
    with build_firmware(tmp_path, board, tmp_path).open("rb") as file:
        image = ELFFile(file)
        for section in image.iter_sections():
            if section["sh_flags"] & 2 and section["sh_size"]:
                first, last = section["sh_addr"], section["sh_addr"] + section["sh_size"] - 1
                assert any(first in m and last in m for m in (program, chip.sram)), section.name
        for segment in image.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:  # what a tool writes
                first = segment["p_paddr"]
                assert first in program and first + segment["p_filesz"] - 1 in program
        check_vectors(image, chip, program)


def check_vectors(image: ELFFile, chip: Chip, program: range) -> None:
    """The core reads its first stack pointer and its first instruction's address from the start of
    the flash. The lowest bit says Thumb."""
    text = image.get_section_by_name(".text")
    assert text["sh_addr"] == chip.flash.start
    table = [int.from_bytes(text.data()[4 * i : 4 * i + 4], "little") for i in range(16)]
    stack, *handlers = table
    assert stack % 8 == 0
    assert stack - 1 in chip.sram
    assert all(handler & 1 and handler - 1 in program for handler in handlers)
    (reset,) = image.get_section_by_name(".symtab").get_symbol_by_name("cortex_m_reset")
    assert handlers[0] == reset["st_value"] == image["e_entry"]


def test_they_are_labelled(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["boards"], terminal_width=200).output
    assert listed.count(NOT_RUN) == len(CHIPS)
