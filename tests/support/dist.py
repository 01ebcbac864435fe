"""What tests of the products of `scons dist` share: commands, and what the example must learn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.support.compilers import path_without_stand_ins

from tinyflash import HostSession, compile_model, load_scheme, read
from tinyflash.paths import source_root

ROOT = source_root()
NETWORK = ROOT / "examples" / "minimal" / "digits.tflite"
SCHEME = ROOT / "examples" / "minimal" / "scheme.toml"


def needs(*commands: str) -> pytest.MarkDecorator:
    """Skips a test where a command is missing."""
    absent = [name for name in commands if not shutil.which(name)]
    return pytest.mark.skipif(bool(absent), reason=f"no {', '.join(absent)}")


def attempt(
    command: list[str | Path], folder: Path, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, with the real compilers, and a folder before the PATH."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CFLAGS", "MAKEFLAGS")}
    environment["PATH"] = f"{path}:{path_without_stand_ins()}" if path else path_without_stand_ins()
    environment["PYTHONPATH"] = str(ROOT / "python")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def shell(command: list[str | Path], folder: Path, path: Path | None = None) -> str:
    """What a command prints, which has no errors and no warnings."""
    done = attempt(command, folder, path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def make_command(folder: Path) -> Path:
    """A folder with the command tinyflash."""
    folder.mkdir(exist_ok=True)
    command = folder / "tinyflash"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tinyflash "$@"\n')
    command.chmod(0o755)
    return folder


@cache
def learned() -> str:
    """What the example prints: a session of this computer learns the same samples."""
    session = HostSession(compile_model(read(NETWORK), load_scheme(SCHEME)).program)
    for step in range(100):
        label = step % 10
        sample = (np.arange(64) * (label + 1)).astype(np.uint8).view(np.int8)
        session.train_step(sample.reshape(8, 8, 1), label, 0.01)
    return f"no error: weights {zlib.crc32(session.weights):08x}\n"
