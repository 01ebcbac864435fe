"""What a debug probe must know of a board's chip: the table [probe] of its board.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tinyflash.boards.pdsc import is_pack_name

_TARGET = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_WORD = 1 << 32

# Bits 15 to 4 of CPUID, by the core's name in GCC: the technical reference manual of each core.
CORES: Mapping[str, int] = MappingProxyType(
    {
        "cortex-m0": 0xC20,
        "cortex-m0plus": 0xC60,
        "cortex-m1": 0xC21,
        "cortex-m3": 0xC23,
        "cortex-m4": 0xC24,
        "cortex-m7": 0xC27,
        "cortex-m23": 0xD20,
        "cortex-m33": 0xD21,
        "cortex-m35p": 0xD31,
        "cortex-m55": 0xD22,
        "cortex-m85": 0xD23,
    }
)


@dataclass(frozen=True)
class ChipId:
    """A register that tells a chip from others: the word at `address`, under `mask`, is `value`."""

    address: int
    mask: int
    value: int


@dataclass(frozen=True)
class ProbeTarget:
    """target: the chip's name in pyOCD. pack: the CMSIS pack that it comes with, VENDOR::NAME;
    None: it comes with pyOCD. id: None: only the kind of core is compared."""

    target: str
    pack: str | None = None
    id: ChipId | None = None


def read_probe_target(given: Mapping[str, Any]) -> ProbeTarget:
    """Raises ValueError or TypeError for what is none."""
    fields = dict(given)
    chip = fields.pop("id", None)
    found = ProbeTarget(**fields, id=None if chip is None else ChipId(**chip))
    if not isinstance(found.target, str) or not _TARGET.fullmatch(found.target):
        raise ValueError(f"probe: target = {found.target!r} is not a name of pyocd list --targets")
    if found.pack is not None and not is_pack_name(str(found.pack)):
        raise ValueError(f"probe: pack = {found.pack!r} is not VENDOR::NAME")
    if found.id is not None:
        _check_id(found.id)
    return found


def _check_id(chip: ChipId) -> None:
    for name, number in vars(chip).items():
        if not isinstance(number, int) or not 0 <= number < _WORD:
            raise ValueError(f"probe: id has {name} = {number!r}, which is not a word of 32 bits")
    if chip.address % 4 or chip.value & ~chip.mask:
        raise ValueError("probe: id has an address that is no word's, or a value beyond its mask")
