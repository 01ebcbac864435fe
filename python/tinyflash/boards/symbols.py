"""Where the functions of a firmware image are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile


@dataclass(frozen=True)
class Function:
    """A function of an image, at [begin, end). file: of a static one; "" of all others."""

    name: str
    file: str
    begin: int
    end: int


def functions(elf: Path) -> Iterator[Function]:
    """Yields the functions of an image."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        current = ""
        for symbol in table.iter_symbols():
            info = symbol["st_info"]
            if info["type"] == "STT_FILE":
                current = symbol.name
            elif info["type"] == "STT_FUNC":
                begin = symbol["st_value"] & ~1  # bit 0: Thumb
                own = current if info["bind"] == "STB_LOCAL" else ""
                yield Function(symbol.name, own, begin, begin + symbol["st_size"])
