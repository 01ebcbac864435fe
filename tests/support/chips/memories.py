"""Flash, and the controllers that change it: bits are programmed to 0, sectors erased to 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Flash:
    """Flash of sectors at `start`. stuck: bits that stay 1, by address. erased: the addresses of
    the sectors that were erased, in order."""

    def __init__(self, start: int, sectors: list[int]) -> None:
        self.start, self.sectors = start, sectors
        self.cells = bytearray(b"\xff" * sum(sectors))
        self.stuck: dict[int, int] = {}
        self.erased: list[int] = []

    @property
    def end(self) -> int:
        return self.start + len(self.cells)

    def read(self, address: int, size: int) -> bytes:
        at = address - self.start
        found = bytearray(self.cells[at : at + size])
        for place in self.stuck.keys() & range(address, address + size):
            found[place - address] |= self.stuck[place]
        return bytes(found)

    def program(self, address: int, data: bytes) -> None:
        for at, byte in enumerate(data, address - self.start):
            self.cells[at] &= byte

    def erase(self, number: int) -> None:
        """A sector, by its number."""
        at = sum(self.sectors[:number])
        self.erased.append(self.start + at)
        self.cells[at : at + self.sectors[number]] = b"\xff" * self.sectors[number]

    def number_of(self, address: int) -> int:
        """The number of the sector at an address, which must begin there."""
        at = 0
        for number, size in enumerate(self.sectors):
            if self.start + at == address:
                return number
            at += size
        raise AssertionError(f"no sector begins at 0x{address:08x}")


class Controller(Protocol):
    """Registers, and what a store into the flash does. registers: the addresses that it answers."""

    registers: range

    def load(self, address: int) -> int: ...

    def store(self, address: int, value: int) -> None: ...

    def write(self, address: int, data: bytes) -> None:
        """A store of the core, or of the debugger, into the flash."""

    def reset(self) -> None: ...


class Nvmc:
    """The controller of nRF52 (Product Specification 1.7, 4.3)."""

    registers = range(0x4001E000, 0x4001F000)
    _READY, _READY_NEXT, _CONFIG, _ERASE_PAGE = 0x400, 0x408, 0x504, 0x508

    def __init__(self, flash: Flash) -> None:
        self.flash, self.config = flash, 0

    def load(self, address: int) -> int:
        offset = address - self.registers.start
        if offset in (self._READY, self._READY_NEXT):
            return 1
        return self.config if offset == self._CONFIG else 0

    def store(self, address: int, value: int) -> None:
        offset = address - self.registers.start
        if offset == self._CONFIG:
            self.config = value & 3
        elif offset == self._ERASE_PAGE and self.config == 2:
            self.flash.erase(self.flash.number_of(value))

    def write(self, address: int, data: bytes) -> None:
        if self.config == 1:
            self.flash.program(address, data)

    def reset(self) -> None:
        self.config = 0


KEYS = (0x45670123, 0xCDEF89AB)


class _Lock:
    """Opens by two keys, one after the other."""

    def __init__(self) -> None:
        self.locked, self._given = True, 0

    def take(self, value: int) -> None:
        self._given = self._given + 1 if value == KEYS[self._given] else 0
        if self._given == len(KEYS):
            self.locked, self._given = False, 0


class Stm32F4:
    """The controller of STM32F4 and F7 (RM0390, 3; RM0385, 3)."""

    registers = range(0x40023C00, 0x40024000)
    _KEY, _STATUS, _CONTROL = 0x04, 0x0C, 0x10
    _PG, _SER, _START, _LOCK = 1, 2, 1 << 16, 1 << 31
    _END, _BAD_ORDER = 1, 1 << 7

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.reset()

    def reset(self) -> None:
        self.lock, self.control, self.status = _Lock(), 0, 0

    def load(self, address: int) -> int:
        offset = address - self.registers.start
        if offset == self._CONTROL:
            return self.control | (self._LOCK if self.lock.locked else 0)
        return self.status if offset == self._STATUS else 0

    def store(self, address: int, value: int) -> None:
        offset = address - self.registers.start
        if offset == self._KEY:
            self.lock.take(value)
        elif offset == self._STATUS:
            self.status &= ~value
        elif offset == self._CONTROL and not self.lock.locked:
            self._command(value)

    def _command(self, value: int) -> None:
        if value & self._LOCK:
            self.lock = _Lock()
        elif value & self._SER and value & self._START:
            self.flash.erase(value >> 3 & 0xF)
            self.status |= self._END
        self.control = value & ~(self._LOCK | self._START)

    def write(self, address: int, data: bytes) -> None:
        if self.lock.locked or not self.control & self._PG:
            self.status |= self._BAD_ORDER
        else:
            self.flash.program(address, data)


class Stm32H7:
    """The controllers of the two banks of an STM32H743 (RM0433, 4)."""

    registers = range(0x52002000, 0x52003000)
    _KEY, _CONTROL = 0x04, 0x0C
    _LOCK, _PG, _SER, _START = 1, 2, 4, 1 << 7
    _BANK_REGISTERS = 0x100
    _BANK_SECTORS = 8

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.reset()

    def reset(self) -> None:
        self.locks, self.controls = [_Lock(), _Lock()], [0, 0]

    def load(self, address: int) -> int:
        bank, offset = divmod(address - self.registers.start, self._BANK_REGISTERS)
        if offset == self._CONTROL:
            return self.controls[bank] | (self._LOCK if self.locks[bank].locked else 0)
        return 0

    def store(self, address: int, value: int) -> None:
        bank, offset = divmod(address - self.registers.start, self._BANK_REGISTERS)
        if offset == self._KEY:
            self.locks[bank].take(value)
        elif offset == self._CONTROL and not self.locks[bank].locked:
            if value & self._LOCK:
                self.locks[bank] = _Lock()
            elif value & self._SER and value & self._START:
                self.flash.erase(bank * self._BANK_SECTORS + (value >> 8 & 7))
            self.controls[bank] = value & ~(self._LOCK | self._START)

    def write(self, address: int, data: bytes) -> None:
        bank = (address - self.flash.start) // (len(self.flash.cells) // 2)
        if not self.locks[bank].locked and self.controls[bank] & self._PG:
            self.flash.program(address, data)


# A function of the ROM: takes the first four registers, returns the first.
RomCall = Callable[[int, int, int, int], int]


class Rp2Rom:
    """The ROM of an RP2040 (Datasheet, 2.8.3), or with version 2, of an RP2350 (5.4). A function
    finds those that change the flash, by a code of two letters. The flash is mapped in between."""

    registers = range(0)
    _START, _LOOK_UP = 0x10000000, 0x100

    def __init__(self, flash: Flash, version: int = 1) -> None:
        self.flash, self.version = flash, version
        self.read_ram: Callable[[int, int], bytes] = lambda _at, _count: b""  # the core's
        self.mapped = False  # as in the boot loader
        self.calls: Mapping[bytes, RomCall] = {
            b"IF": lambda *_: 0,
            b"EX": self._stop_reading,
            b"RE": self._erase,
            b"RP": self._program,
            b"FC": lambda *_: 0,
            b"CX": self._read_on,
        }
        self.entries = {0x200 + 16 * i: call for i, call in enumerate(self.calls.values())}
        self.codes = dict(zip(self.calls, self.entries, strict=True))

    def content(self) -> bytes:
        """Of the ROM: functions are a return each, and the tests' core does what they do."""
        rom = bytearray(0x4000)
        rom[0x10:0x14] = bytes((*b"Mu", self.version, 2))
        look_up = 0x18 if self.version == 1 else 0x16
        for at, value in ((0x14, 0x50), (look_up, self._LOOK_UP | 1)):
            rom[at : at + 2] = value.to_bytes(2, "little")
        for entry in (self._LOOK_UP, *self.entries):
            rom[entry : entry + 2] = b"\x70\x47"  # bx lr
        return bytes(rom)

    def called(self, address: int, arguments: tuple[int, int, int, int]) -> int | None:
        """What a function returns that begins at an address; None: none does."""
        if address == self._LOOK_UP:
            number = arguments[1] if self.version == 1 else arguments[0]
            code = number.to_bytes(4, "little")[:2]
            return self.codes[code] | 1
        call = self.entries.get(address)
        return None if call is None else call(*arguments)

    def _stop_reading(self, *_: int) -> int:
        self.mapped = False
        return 0

    def _read_on(self, *_: int) -> int:
        self.mapped = True
        return 0

    def _erase(self, at: int, count: int, _block: int, _command: int) -> int:
        assert not self.mapped
        sector = self.flash.sectors[0]
        for start in range(at, at + count, sector):
            self.flash.erase(start // sector)
        return 0

    def _program(self, at: int, data: int, count: int, _: int) -> int:
        assert not self.mapped
        self.flash.program(self._START + at, self.read_ram(data, count))
        return 0

    def load(self, address: int) -> int:
        return 0

    def store(self, address: int, value: int) -> None: ...

    def write(self, address: int, data: bytes) -> None: ...

    def reset(self) -> None:
        self.mapped = False
