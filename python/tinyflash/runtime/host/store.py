"""The library's store on the host, in a simulated flash that can fail (tinyflash/store.h)."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.session import HostSession
from tinyflash.runtime.store import Geometry, Stored

HEAD_BYTES = 32  # of a record, before it is rounded up to whole pages (SPEC 11)
WORD = 4  # bytes that are programmed or erased at once, and torn by a power cut
POWERED = 0xFFFFFFFF  # words until a power cut: it never comes


@dataclass(frozen=True)
class Faults:
    """How a flash fails: `flash_faults`. The power goes after `words_left` words."""

    words_left: int = POWERED
    tear: int = 0
    stuck_at: int = 0
    stuck_mask: int = 0
    stuck_bits: int = 0


NO_FAULTS = Faults()


class HostFlash:
    """A simulated flash, erased at first. `cells`: its bytes, whatever bits are stuck."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._bytes = ffi.new("uint8_t[]", b"\xff" * geometry.size)
        self.native = ffi.new("simulated_flash *")
        self.power_on()

    @property
    def cells(self) -> bytes:
        return bytes(ffi.buffer(self._bytes, self.geometry.size))

    @cells.setter
    def cells(self, content: bytes) -> None:
        ffi.buffer(self._bytes, self.geometry.size)[:] = content

    def power_on(self, faults: Faults = NO_FAULTS) -> None:
        """Starts anew with these faults; the cells keep what they have."""
        g = self.geometry
        lib.simulated_flash_begin(self.native, self._bytes, g.sectors, g.sector_bytes, g.page_bytes)
        native = self.native.faults
        native.words_left, native.tear = faults.words_left, faults.tear
        native.stuck_at = faults.stuck_at
        native.stuck_mask, native.stuck_bits = faults.stuck_mask, faults.stuck_bits

    @property
    def words(self) -> int:
        """The words that were programmed or erased since the power is on."""
        return int(self.native.words)

    @property
    def is_off(self) -> bool:
        return bool(self.native.is_off)


class HostStore:
    """A `tiny_store` of a session. Its calls return the library's error: 0 is success."""

    def __init__(self, flash: HostFlash, session: HostSession) -> None:
        self._flash, self._session = flash, session
        self._store = ffi.new("tiny_store *")
        self.error = self.open()

    def open(self) -> int:
        """Looks at the flash as after a start."""
        flash = ffi.addressof(self._flash.native, "flash")
        return int(lib.tiny_store_open(self._store, flash, self._session.native))

    @property
    def stored(self) -> Stored:
        return Stored(self._store.stored)

    @property
    def slots(self) -> int:
        return int(self._store.slots)

    @property
    def slot(self) -> int:
        """That of the newest record."""
        return int(self._store.slot)

    @property
    def slot_bytes(self) -> int:
        return int(self._store.slot_sectors) * self._flash.geometry.sector_bytes

    @property
    def sequence(self) -> int:
        """The number of the last record."""
        return int(self._store.sequence)

    @sequence.setter
    def sequence(self, number: int) -> None:
        self._store.sequence = number

    def save(self) -> int:
        return int(lib.tiny_store_save(self._store, self._session.native))

    def load(self) -> int:
        return int(lib.tiny_store_load(self._store, self._session.native))

    def factory(self) -> int:
        return int(lib.tiny_store_factory(self._store, self._session.native))
