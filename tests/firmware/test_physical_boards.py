"""Physical boards, which nobody here has: their images link, and lie where the chip has memory."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from elftools.elf.elffile import ELFFile
from tests.support.firmware import MODEL

from tinyflash.boards import NOT_RUN, Board, boards, kernels_for, load_board
from tinyflash.boards.boot import checksum
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
    ram: dict[str, range]


def memory(start: int, kilobytes: int) -> range:
    return range(start, start + kilobytes * KB)


CHIPS = {
    # stm32f446xx.h: FLASH_BASE to FLASH_END; SRAM1_BASE, 112 KB, and SRAM2_BASE, 16 KB
    "stm32f446_nucleo": Chip(memory(0x08000000, 512), {"sram": memory(0x20000000, 112 + 16)}),
    # stm32f746xx.h: FLASHAXI_BASE; RAMDTCM_BASE, SRAM1_BASE, SRAM2_BASE
    "stm32f746_discovery": Chip(
        memory(0x08000000, 1024),
        {
            "dtcm": memory(0x20000000, 64),
            "sram1": memory(0x20010000, 240),
            "sram2": memory(0x2004C000, 16),
        },
    ),
    # stm32h743xx.h: FLASH_BANK1_BASE and FLASH_BANK2_BASE, 1 MB each; D1_DTCMRAM_BASE,
    # D1_AXISRAM_BASE, D2_AXISRAM_BASE, of which 288 KB are SRAM1 to SRAM3, D3_SRAM_BASE
    "stm32h743_nucleo": Chip(
        memory(0x08000000, 2048),
        {
            "dtcm": memory(0x20000000, 128),
            "axi": memory(0x24000000, 512),
            "d2": memory(0x30000000, 128 + 128 + 32),
            "d3": memory(0x38000000, 64),
        },
    ),
    # addressmap.h of rp2040 and rp2350: XIP_BASE, SRAM_BASE to SRAM_END; the flash is on the boards
    "raspberrypi_pico": Chip(memory(0x10000000, 2048), {"sram": memory(0x20000000, 264)}),
    "raspberrypi_pico2": Chip(memory(0x10000000, 4096), {"sram": memory(0x20000000, 520)}),
    # nrf52840.svd: flash from 0, and 256 KB of RAM
    "nrf52840_dk": Chip(memory(0, 1024), {"ram": memory(0x20000000, 256)}),
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
    stored = 0 if board.store is None else board.store.size
    assert board.flash_bytes + stored == len(chip.flash)
    if board.store is not None:
        assert board.flash_bytes % board.store.sector_bytes == 0
        assert board.store_address == chip.flash.start + board.flash_bytes
    assert {region.name: region.addresses for region in board.ram} == chip.ram


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
                memories = (program, *chip.ram.values())
                assert any(first in m and last in m for m in memories), section.name
        for segment in image.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:  # what a tool writes
                first = segment["p_paddr"]
                assert first in program and first + segment["p_filesz"] - 1 in program
        check_vectors(image, chip, program, BOOT_BYTES.get(board.name, 0))


# What a chip reads before the vector table.
BOOT_BYTES = {"raspberrypi_pico": 256}


def check_vectors(image: ELFFile, chip: Chip, program: range, skipped: int) -> None:
    """The core reads its first stack pointer and its first instruction's address from the start of
    the flash, or from what its boot code gives it. The lowest bit says Thumb."""
    text = image.get_section_by_name(".text")
    assert text["sh_addr"] == chip.flash.start
    table = np.frombuffer(text.data()[skipped : skipped + 64], "<u4").tolist()
    stack, *handlers = table
    assert stack % 8 == 0
    assert any(stack - 1 in memory for memory in chip.ram.values())
    assert all(handler & 1 and handler - 1 in program for handler in handlers)
    (reset,) = image.get_section_by_name(".symtab").get_symbol_by_name("cortex_m_reset")
    assert handlers[0] == reset["st_value"] == image["e_entry"]


def flash_start(board: str, folder: Path) -> bytes:
    """The first 4 KB of an image of the test model."""
    elf = build_firmware(MODEL, load_board(board), folder)
    with elf.open("rb") as file:
        return bytes(ELFFile(file).get_section_by_name(".text").data()[:4096])


def reversed_bits(number: int, width: int) -> int:
    return int(f"{number:0{width}b}"[::-1], 2)


def test_the_rp2040_accepts_its_boot_code(tmp_path: Path) -> None:
    """RP2040 Datasheet, 2.8.1.3: the checksum of 252 bytes, here by zlib's, which has its bits in
    the other order. It goes on at the vector table, 256 bytes further."""
    start = flash_start("raspberrypi_pico", tmp_path)
    mirrored = bytes(reversed_bits(byte, 8) for byte in start[:252])
    expected = reversed_bits(zlib.crc32(mirrored) ^ 0xFFFFFFFF, 32)
    assert int.from_bytes(start[252:256], "little") == expected
    assert (0x10000100).to_bytes(4, "little") in start[:252]
    assert any(start[:252]) and checksum(b"123456789") == 0x0376E6E7  # CRC-32/MPEG-2


def test_the_rp2350_finds_its_image_definition(tmp_path: Path) -> None:
    """RP2350 Datasheet, 5.9.5: a block in the first 4 KB, whose last item counts the words before
    it, and that is alone in its loop."""
    words = np.frombuffer(flash_start("raspberrypi_pico2", tmp_path), "<u4").tolist()
    (first,) = [i for i, word in enumerate(words) if word == 0xFFFFDED3]
    item, last, link, end = words[first + 1 : first + 5]
    assert (item & 0xFF, item >> 8 & 0xFF) == (0x42, 1)  # IMAGE_TYPE, one word
    assert item >> 16 == 1 | 2 << 4 | 0 << 8 | 1 << 12  # executable, secure, Arm, RP2350
    assert (last & 0xFF, last >> 8) == (0xFF, 1)
    assert (link, end) == (0, 0xAB123579)


def test_they_are_labelled(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["boards"], terminal_width=200).output
    assert listed.count(NOT_RUN) == len(CHIPS)
