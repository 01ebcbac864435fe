"""The kernels of each set compile without optimisation, when GCC has fewer registers to give to
assembly."""

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
