"""Writes the files of a judge and its candidates."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.choices import Choices
from tinyflash.write.c import DEFAULT
from tinyflash.write.c.choices import ChoicesPage


def write_choices(choices: Choices, directory: str | Path, name: str = DEFAULT) -> ChoicesPage:
    """Writes NAME.c and NAME.h into a folder, each atomically. Returns what they are.

    name: of the choices in C, as for write_model. Raises ModelError if C cannot have it.
    """
    page = ChoicesPage(choices, name)
    for ending, text in {"c": page.source(), "h": page.header()}.items():
        files.write_bytes(Path(directory) / f"{name}.{ending}", text.encode())
    return page
