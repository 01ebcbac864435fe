"""The programs of examples/, in copies that tests build and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.compilers import path_without_stand_ins

from tinyflash.paths import source_root

EXAMPLES = source_root() / "examples"


def copied(name: str, folder: Path) -> Path:
    """A copy of an example in `folder`, with a `tinyflash` on the PATH that `shell` sets."""
    ignored = shutil.ignore_patterns("build")
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True, ignore=ignored)
    command = folder / "bin" / "tinyflash"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tinyflash "$@"\n')
    command.chmod(0o755)
    return folder


def shell(example: Path, *command: str) -> str:
    """What a command prints in the copy; QEMU prints what firmware says to standard error."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "CFLAGS")}
    environment["PATH"] = f"{example / 'bin'}:{path_without_stand_ins()}"
    environment["PYTHONPATH"] = str(source_root() / "python")
    done = subprocess.run(
        command,
        cwd=example,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def numbers(said: str) -> dict[str, int]:
    """The numbers that a run prints, by what they are."""
    return {k: int(v) for k, v in re.findall(r"^([a-z, 0-9]+?):? (\d+)$", said, re.MULTILINE)}
