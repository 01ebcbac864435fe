"""The library compiles with Clang without a warning: for this computer, and with its assembly for
the cores of all boards. Linking and running are GCC's part."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.lib.build import M0, ROOT, WARNINGS

from tinyflash.boards import boards
from tinyflash.boards.toolchain import ARM
from tinyflash.sources import library_sources

pytestmark = pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed")
HOST = "host"
FLAGS = {board.cpu_flags: board.name for board in (M0, *boards()) if board.cross.gcc == ARM}
CORES = {name: flags for flags, name in FLAGS.items()}  # boards of one core compile the same


def headers_of_c() -> list[str]:
    """Clang has none for Arm; those of GCC's C library serve."""
    asked = [ARM, "-print-file-name=libc.a"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    folders = [parent / "include" for parent in Path(found).resolve().parents]
    return ["-isystem", str(next(f for f in folders if (f / "string.h").exists()))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """-O2 on every core; -O0, at which Clang says less, on this computer and the largest core."""
    found = [HOST, *CORES]
    every = metafunc.config.getoption("--all-clang")
    most = found if every else [HOST, "qemu_mps3_an547"]
    pairs = [("-O0", core) for core in most] + [("-O2", core) for core in found]
    if "level" in metafunc.fixturenames:
        metafunc.parametrize(("level", "core"), pairs)


def test_no_warning(core: str, level: str, tmp_path: Path) -> None:
    target: list[str] = []
    if core != HOST:
        target = ["--target=arm-none-eabi", *CORES[core], *headers_of_c()]
    includes = [f"-I{ROOT / folder}" for folder in ("include", "lib")]
    command = ["clang", *target, *WARNINGS, level, *includes, "-c", *library_sources(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
