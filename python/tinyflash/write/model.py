"""Writes the files of a compiled model: a table in C, and its sizes."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.compiler import Compiled
from tinyflash.write import c


def write_model(compiled: Compiled, directory: str | Path, name: str = c.DEFAULT) -> None:
    """Writes NAME.c and NAME.h into a folder, each atomically.

    name: of the model in C: its symbol, and in capitals the prefix of its macros. Raises ModelError
    if C cannot have it.
    """
    texts = {"c": c.source(compiled.program, name), "h": c.header(compiled.program, name)}
    for ending, text in texts.items():
        files.write_bytes(Path(directory) / f"{name}.{ending}", text.encode())
