"""The checksum of a chip's boot code: the RP2040 runs the first 256 bytes of its flash only if
their last word is that of the others."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile

_SECTION, _WHOLE = ".boot", 256  # of boards/raspberrypi_pico/boot.c
_POLYNOMIAL = 0x04C11DB7


def checksum(data: bytes) -> int:
    """Returns a CRC-32 with the highest bit first, from all ones, not inverted at the end (RP2040
    Datasheet, 2.8.1.3.1)."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            carry = register >> 31
            register = (register << 1) & 0xFFFFFFFF
            register ^= _POLYNOMIAL * carry
    return register


def boot_script(objects: Iterable[Path]) -> str:
    """Returns a linker line with the checksum of the boot code among these objects; "" if none has
    any. The code has no relocations except the checksum itself."""
    for path in objects:
        content = path.read_bytes()
        if _SECTION.encode() in content:  # elftools takes a millisecond for each of all objects
            section = ELFFile(BytesIO(content)).get_section_by_name(_SECTION)
            if section is not None and section["sh_size"] == _WHOLE:
                return f"linker_boot_checksum = 0x{checksum(section.data()[:-4]):08x};\n"
    return ""
