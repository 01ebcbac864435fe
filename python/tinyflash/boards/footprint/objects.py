"""Reads object files: functions, tables of functions, variables, types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_ARM
from elftools.elf.relocation import RelocationSection

from tinyflash.errors import InternalError

_CALLS = tuple(ENUM_RELOC_TYPE_ARM[f"R_ARM_{kind}"] for kind in ("THM_CALL", "THM_JUMP24"))
_VARIABLES = (".data", ".bss")


@dataclass(frozen=True)
class CompiledUnit:
    """The functions of one object file, by symbol, and its variables."""

    defined: frozenset[str]
    called: frozenset[str]
    held: frozenset[str]  # with their addresses in its data: tables to call through
    handed: frozenset[str]  # with addresses taken by its code, to pass on
    variables: dict[str, int]  # bytes of SRAM, by name of the section: .bss.name


def read_unit(path: Path) -> CompiledUnit:
    """Reads the contents of an object file."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = [s for s in elf.get_section_by_name(".symtab").iter_symbols() if s.name]
        defined = {s.name for s in symbols if s["st_info"]["type"] == "STT_FUNC"}
        callable_ = defined | {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF"}
        called, held, handed = set(), set(), set()
        for section, kind, symbol in _relocations(elf):
            if symbol in callable_ and kind in _CALLS:
                called.add(symbol)
            elif symbol in callable_ and section.startswith((".rodata", *_VARIABLES)):
                held.add(symbol)
            elif symbol in callable_ and section.startswith(".text"):
                handed.add(symbol)
        sizes = {s.name: int(s["sh_size"]) for s in elf.iter_sections()}
    variables = {name: size for name, size in sizes.items() if name.startswith(_VARIABLES)}
    return CompiledUnit(
        *(frozenset(defined), frozenset(called), frozenset(held), frozenset(handed)), variables
    )


def _relocations(elf: ELFFile) -> Iterator[tuple[str, int, str]]:
    """Yields section, type and symbol of each relocation in loaded sections; debugging sections
    have most of the others."""
    table: Any = elf.get_section_by_name(".symtab")
    names = [symbol.name for symbol in table.iter_symbols()]
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection):
            place = elf.get_section(section["sh_info"])
            if place["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                for entry in section.iter_relocations():
                    yield place.name, entry["r_info_type"], names[entry["r_info_sym"]]


def size_of(path: Path, struct: str) -> int:
    """Returns the size of a struct, from the debugging information of an object file."""
    with path.open("rb") as file:
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            for entry in unit.iter_DIEs():
                name, size = (entry.attributes.get(f"DW_AT_{key}") for key in ("name", "byte_size"))
                is_struct = entry.tag == "DW_TAG_structure_type" and name and size
                if is_struct and name.value.decode() == struct:
                    return int(size.value)
    raise InternalError(f"{path.name} does not give the size of {struct}")
