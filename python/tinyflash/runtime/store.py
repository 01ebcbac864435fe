"""What a store says of itself: tinyflash/store.h, firmware/PROTOCOL.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class Geometry:
    """The flash that a store has for itself, in bytes except `sectors`: `tiny_flash`."""

    sectors: int
    sector_bytes: int
    page_bytes: int

    @property
    def size(self) -> int:
        return self.sectors * self.sector_bytes


class Stored(IntEnum):
    """What the newest record says: `tiny_stored`."""

    NOTHING = 0
    LEARNED = 1
    FACTORY = 2


@dataclass(frozen=True)
class StoreReport:
    """The newest record. number: how many were written, also by other models. slots: places for
    records, which are used in turn."""

    number: int
    stored: Stored
    slots: int
