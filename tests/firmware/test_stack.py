"""The stack on emulated boards: never deeper than computed, and refused where it is too small."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyflash.boards import firmware as build
from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware, firmware_size
from tinyflash.boards.fits import check_fits
from tinyflash.boards.footprint import footprint
from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import BoardError, LinkError
from tinyflash.paths import source_root
from tinyflash.runtime.device import DeviceSession
from tinyflash.write.model import write_model

MODEL = Path(__file__).parent / "model"
SAMPLE = np.random.default_rng(6).integers(-128, 128, (3, 72)).astype(np.int8)


@pytest.mark.parametrize(("name", "guard"), [("qemu_mps2_an500", 0), ("qemu_stm32f405", 3)])
def test_no_stack_is_deeper_than_computed(
    learner: Compiled, name: str, guard: int, tmp_path: Path
) -> None:
    board = load_board(name)
    write_model(learner, tmp_path)
    elf = build_firmware(tmp_path, board, tmp_path, guard=guard)
    with Emulator(board, elf) as emulator, DeviceSession(emulator) as device:
        if guard:
            device.start_guard(SAMPLE, np.arange(3), every=1, tolerance=0)
        device.train_step(SAMPLE[0], 1, 0.1)
        device.infer(SAMPLE[1])
        device.restore(device.weights, device.state)
        measured = device.stack_high_water
    use = firmware_size(elf).stack_use_bytes
    assert 0.75 * use < measured <= use
    used = footprint(learner.program, board)
    assert used.stack_bytes < used.firmware_stack_bytes <= use
    assert guard or used.firmware_stack_bytes == use


ADVICE = r"than the (\d,\d+) that .* stack_bytes = \d+ in its board\.toml"


def hungry_model(tmp_path: Path) -> Path:
    """The test model, with a kernel that wants more stack than any board has."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    source = folder / "model.c"
    text = source.read_text()
    start = "    crash(state->label);\n"
    assert start in text
    want = "    volatile uint8_t much[4000];\n    much[0] = much[3999] = 0;\n"
    source.write_text(text.replace(start, want + start))
    return folder


def test_a_reserve_that_is_too_small_is_refused_by_the_build(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=f"its stack of 2,048 bytes is smaller {ADVICE}") as said:
        build_firmware(hungry_model(tmp_path), load_board("qemu_mps2_an500"), tmp_path)
    assert "\n" not in str(said.value)


def test_and_by_the_compiler(learner: Compiled) -> None:
    board = replace(load_board("qemu_mps2_an500"), stack_bytes=256)
    with pytest.raises(BoardError, match="its stack of 256 bytes is smaller than the"):
        check_fits(compile_model(learner.graph), board)


def test_and_by_a_board_whose_linker_did_not_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "sources"
    for name in ("include", "lib", "firmware", "boards", "python"):
        shutil.copytree(source_root() / name, sources / name)
    shutil.copy(source_root() / "SConstruct", sources)
    script = sources / "python" / "tinyflash" / "boards" / "linker.py"
    look = "ASSERT(linker_stack_needed <= {reserve}"
    assert look in script.read_text()
    script.write_text(script.read_text().replace(look, "ASSERT(1"))
    monkeypatch.setattr(build, "source_root", lambda: sources)
    board = load_board("qemu_mps2_an500")
    elf = build_firmware(hungry_model(tmp_path), board, tmp_path)
    with Emulator(board, elf) as emulator:
        with pytest.raises(
            LinkError, match=f"refuses to run, because its stack .*{ADVICE}"
        ) as said:
            DeviceSession(emulator)
        assert "\n" not in str(said.value)
