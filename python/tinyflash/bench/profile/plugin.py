"""Compiles the plugin of the emulator, and says how QEMU loads it."""

from __future__ import annotations

import functools
import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

from tinyflash import files
from tinyflash.boards.toolchain import QEMU
from tinyflash.errors import BoardError

_SOURCE = Path(__file__).with_name("blocks.c")


def options(plugin: Path, marks: Path, out: Path) -> tuple[str, ...]:
    """Returns the options of QEMU that load the plugin. A comma in a path is doubled, as QEMU has
    it."""
    named = {"": plugin, "marks=": marks, "out=": out}
    return "-plugin", ",".join(key + str(path).replace(",", ",,") for key, path in named.items())


@functools.cache
def library() -> Path:
    """Returns the plugin, compiled into the cache when it is absent or its source has changed.
    Raises BoardError, in one line, if QEMU takes no plugins or the compiler fails."""
    version = _interface()
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    kept = files.cache_dir() / "plugin" / f"blocks-{digest}-{version}.so"
    if not kept.exists():
        files.write_bytes(kept, _compiled(version))
    return kept


def _interface() -> int:
    """Returns the version of the plugin interface to ask for: 1 until QEMU 8, 2 since 9."""
    try:
        told = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout
        known = subprocess.run([QEMU, "--help"], capture_output=True, text=True).stdout
    except OSError as error:
        raise BoardError(f"{QEMU} is missing; run tinyflash doctor") from error
    if "-plugin" not in known:
        raise BoardError(f"{QEMU} was built without plugins, which count; install one with them")
    found = re.search(r"version (\d+)", told)
    return 2 if found and int(found[1]) >= 9 else 1


def _compiled(version: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as folder:
        made = Path(folder, "blocks.so")
        command = ["cc", "-std=c99", "-O2", "-shared", "-fPIC", f"-DVERSION={version}"]
        try:
            done = subprocess.run(
                [*command, str(_SOURCE), "-o", str(made)], capture_output=True, text=True
            )
        except OSError as error:
            raise BoardError("cc is missing, which compiles the counter for QEMU") from error
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise BoardError(f"the counter for QEMU does not compile: {said[0] if said else ''}")
        return made.read_bytes()
