"""Reads object files: functions, tables of functions, variables."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_ARM
from elftools.elf.relocation import RelocationSection

# Relocations of calls: of Arm, and R_RISCV_BRANCH, JAL, CALL, CALL_PLT, RVC_BRANCH and RVC_JUMP
# (RISC-V ELF psABI, 8.4), by e_machine.
_ARM_CALLS = ("THM_CALL", "THM_JUMP24", "THM_JUMP11")
_CALLS = {
    "EM_ARM": tuple(ENUM_RELOC_TYPE_ARM[f"R_ARM_{kind}"] for kind in _ARM_CALLS),
    "EM_RISCV": (16, 17, 18, 19, 44, 45),
}
_ARMV6M = (11, 12)  # v6-M and v6S-M
_VARIABLES = (".data", ".bss")
# Elf32_Sym: name, value, size, info, other, shndx (System V ABI, 4), little-endian as all boards
# are. Debugging information makes thousands of them for RISC-V: elftools takes seconds to read an
# image's.
_SYMBOL = struct.Struct("<IIIBBH")
_FUNCTION, _WEAK, _UNDEFINED = 2, 2, 0  # STT_FUNC, STB_WEAK, SHN_UNDEF


class _Symbol(NamedTuple):
    name: str
    kind: int
    binding: int
    section: int


@dataclass(frozen=True)
class CompiledUnit:
    """The functions of one object file, by symbol, and its variables."""

    defined: frozenset[str]
    called: frozenset[str]
    held: frozenset[str]  # with their addresses in its data: tables to call through
    handed: frozenset[str]  # with addresses taken by its code, to pass on
    variables: dict[str, int]  # bytes of SRAM, by name of the section: .bss.name
    calls: frozenset[tuple[str, str]]  # who calls which undefined function
    weak: frozenset[str]  # of the defined
    armv6m: bool  # compiled for this architecture, on which the C library takes more stack


def read_unit(path: Path) -> CompiledUnit:
    """Reads the contents of an object file."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        sections = list(elf.iter_sections())  # each is read anew whenever elftools is asked for it
        table = list(_symbols(sections))
        symbols = [s for s in table if s.name]
        defined = {s.name for s in symbols if s.kind == _FUNCTION}
        callable_ = defined | {s.name for s in symbols if s.section == _UNDEFINED}
        called, held, handed, outward = set(), set(), set(), set()
        calls = _CALLS[elf["e_machine"]]
        inside = {sections[s.section].name: s.name for s in symbols if s.name in defined}
        for section, kind, symbol in _relocations(sections, table):
            if symbol in callable_ and kind in calls:
                called.add(symbol)
                if symbol not in defined and section in inside:
                    outward.add((inside[section], symbol))
            elif symbol in callable_ and section.startswith((".rodata", *_VARIABLES)):
                held.add(symbol)
            elif symbol in callable_ and section.startswith(".text"):
                handed.add(symbol)
        sizes = {s.name: int(s["sh_size"]) for s in sections}
        armv6m = _is_armv6m(sections)
        weak = {s.name for s in symbols if s.binding == _WEAK} & defined
    variables = {name: size for name, size in sizes.items() if name.startswith(_VARIABLES)}
    return CompiledUnit(
        *(frozenset(defined), frozenset(called), frozenset(held), frozenset(handed)),
        *(variables, frozenset(outward), frozenset(weak), armv6m),
    )


def _is_armv6m(sections: Sequence[Any]) -> bool:
    """Whether the object's attributes say so (Addenda to the ABI for the Arm Architecture, 3.3)."""
    found = [
        attribute.value
        for section in sections
        if section.name == ".ARM.attributes"
        for vendor in section.iter_subsections()
        for scope in vendor.iter_subsubsections()
        for attribute in scope.iter_attributes("TAG_CPU_ARCH")
    ]
    return any(value in _ARMV6M for value in found)


def _symbols(sections: Sequence[Any]) -> Iterator[_Symbol]:
    """Yields all symbols in their order. Those of sections have no name."""
    table = next(section for section in sections if section.name == ".symtab")
    texts = sections[table["sh_link"]].data()
    for name, _, _, info, _, section in _SYMBOL.iter_unpack(table.data()):
        text = texts[name : texts.index(b"\0", name)].decode()
        yield _Symbol(text, kind=info & 15, binding=info >> 4, section=section)


def _relocations(
    sections: Sequence[Any], table: Sequence[_Symbol]
) -> Iterator[tuple[str, int, str]]:
    """Yields section, type and symbol of each relocation in loaded sections; debugging sections
    have most of the others. table: all symbols."""
    for section in sections:
        if isinstance(section, RelocationSection):
            place = sections[section["sh_info"]]
            if place["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                for entry in section.iter_relocations():
                    yield place.name, entry["r_info_type"], table[entry["r_info_sym"]].name
