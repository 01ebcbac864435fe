"""The kernels of each set compile where GCC has fewer registers to give to assembly: without
optimisation, and on cores with an FPU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.lib.build import ROOT, WARNINGS

from tinyflash.boards import load_board

CORES = {"dsp": "qemu_stm32f405", "mve": "qemu_mps3_an547"}


@pytest.mark.parametrize("name", CORES)
def test_no_warning(name: str, tmp_path: Path) -> None:
    board = load_board(CORES[name])
    includes = [f"-I{ROOT / folder}" for folder in ("include", "lib")]
    sources = sorted((ROOT / "lib" / "kernels" / name).glob("*.c"))
    command = [board.cross.gcc, *WARNINGS, *board.cpu_flags, "-O0", *includes, "-c", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


FPU = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16")


@pytest.mark.parametrize("level", ["-O0", "-Og", "-O1", "-O2", "-Os", "-O3"])
@pytest.mark.parametrize("abi", ["softfp", "hard"])
def test_dsp_with_an_fpu(level: str, abi: str, tmp_path: Path) -> None:
    board = load_board(CORES["dsp"])
    includes = [f"-I{ROOT / folder}" for folder in ("include", "lib")]
    names = ("single.c", "position.c", "add.c")  # whose assembly takes nearly all registers
    sources = [ROOT / "lib" / "kernels" / "dsp" / name for name in names]
    core = [*WARNINGS, *FPU, f"-mfloat-abi={abi}", level, *includes]
    done = subprocess.run(
        [board.cross.gcc, *core, "-c", *sources], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
