"""Firmware for tests: on this computer under sanitizers, and the boards that are emulated."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.compilers import compile_program

from tinyflash.boards import boards, load_board
from tinyflash.compiler import Compiled
from tinyflash.paths import source_root
from tinyflash.runtime.store import Geometry
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model

ROOT = source_root()
MODEL = ROOT / "tests" / "firmware" / "model"
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
GUARD_SAMPLES = 7
REPLAY_SLOTS = 2
WATCHED = (f"-DGUARD_SAMPLES={GUARD_SAMPLES}", f"-DREPLAY_SLOTS={REPLAY_SLOTS}")
FLASH = Geometry(sectors=4, sector_bytes=8192, page_bytes=16)  # of firmware with a store
EMULATED = [board for board in boards() if board.emulated]
# Those with room for the model of tests/firmware/model, and for programs of kernel cases.
ROOMY = [board for board in EMULATED if board.sram_bytes >= 16 * 1024]
LARGE = [board for board in EMULATED if board.sram_bytes >= 128 * 1024]
# Of each architecture one, for what no core computes in its own way: kernel cases and
# tests/end_to_end/test_same_steps.py have all.
UNLIKE = [board for board in EMULATED if board.name in ("qemu_stm32f405", "qemu_mps3_an547")]


def build_for_host(
    model: Path,
    program: Path,
    *settings: str,
    more: tuple[Path, ...] = (),
    board: str = "host_board.c",
) -> Path:
    """The firmware with the model of a folder, for this computer, under sanitizers."""
    files = [*library_sources(ROOT), *sorted((ROOT / "firmware").rglob("*.c"))]
    files += [model / "model.c", MODEL.parent / board, *more]
    includes = [f"-I{folder}" for folder in ("include", "lib", "boards", "firmware", model)]
    compile_program(["cc", "-std=c99", *SANITIZERS, *settings, *includes], files, program)
    return program


def with_store(compiled: Compiled, folder: Path) -> Path:
    """The firmware of a model, with a store in the file that FLASH names (host_flash.c)."""
    write_model(compiled, folder)
    sizes = [f"-DBOARD_STORE_{name.upper()}={size}" for name, size in vars(FLASH).items()]
    flash = ROOT / "boards" / "parts" / "simulated_flash" / "simulated_flash.c"
    more = (MODEL.parent / "host_flash.c", flash)
    return build_for_host(folder, folder / "firmware", *sizes, more=more)


def own_board(folder: Path, name: str, called: str | None = None) -> Path:
    """A copy of a board in a folder of the user, whose board.c says that it is `called` so."""
    shutil.copytree(load_board("qemu_stm32f405").folder, folder / name)
    source = folder / name / "board.c"
    source.write_text(source.read_text().replace('"qemu_stm32f405"', f'"{called or name}"'))
    return folder / name


def with_guard(compiled: Compiled, folder: Path) -> Path:
    """The firmware of a model, with room for held-out samples and for a replay buffer."""
    write_model(compiled, folder)
    return build_for_host(folder, folder / "firmware", *WATCHED)
