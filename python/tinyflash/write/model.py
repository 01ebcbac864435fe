"""Writes the files of a compiled model: a table in C, and its sizes."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.compiler import Compiled
from tinyflash.write import c


def write_model(compiled: Compiled, directory: str | Path) -> None:
    """Writes model.c and model.h into a folder, each atomically."""
    directory = Path(directory)
    files.write_bytes(directory / "model.c", c.source(compiled.program).encode())
    files.write_bytes(directory / "model.h", c.header(compiled.program).encode())
