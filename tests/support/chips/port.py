"""The debug port of a chip, as a debug probe of pyOCD: transfers to DP and AP (ADIv5.2, ADIv6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pyocd.core import exceptions
from pyocd.probe.debug_probe import DebugProbe
from tests.support.chips.core import BusFaultError, Chip, Core

_SELECT, _STATUS, _ABORT = 0x8, 0x4, 0x0
_POWER_ASKED = (1 << 28, 1 << 30)
_CSW, _TAR, _DRW, _BASE, _IDR = 0x00, 0x04, 0x0C, 0xF8, 0xFC
_AHB = 0x24770011  # identification of an access port to memory
_TABLE, _SCS = 0xE00FF000, 0xE000E000
_MEMORY_PORT = 0x2000  # of ADIv6, where access ports have addresses: the one to memory
_PORT_REGISTERS = 0xD00
_ERASE_ALL = (1, 0x04, 1)  # by the control port of an nRF52, which unlocks it
_WRAP = 4096  # the address of an access port counts within so many bytes


class SimulatedProbe(DebugProbe):
    """A probe with a chip behind it. connected: those that are plugged in. transfers_left: until it
    is unplugged; None: it stays. is_locked: whether the chip keeps debuggers from its memory."""

    connected: ClassVar[list[SimulatedProbe]] = []

    def __init__(self, unique_id: str, chip: Chip) -> None:
        super().__init__()
        self._id, self.core = unique_id, Core(chip)
        self.chip = chip
        self.transfers_left: int | None = None
        self.is_locked = False
        self._open, self._protocol = False, None
        self._select = self._power = self._csw = self._tar = 0
        self._reset = False
        self.core.words.update(component_ids(chip))
        self._is_v6 = chip.debug_port >> 12 & 0xF == 3

    @classmethod
    def get_all_connected_probes(
        cls, unique_id: str | None = None, is_explicit: bool = False
    ) -> Sequence[DebugProbe]:
        return list(cls.connected)

    @classmethod
    def get_probe_with_id(cls, unique_id: str, is_explicit: bool = False) -> DebugProbe | None:
        return next((one for one in cls.connected if one.unique_id == unique_id), None)

    vendor_name = "Simulated"
    product_name = "probe"
    supported_wire_protocols = (DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD)
    capabilities = frozenset({DebugProbe.Capability.SWD_SEQUENCE})
    is_open = property(lambda self: self._open)
    wire_protocol = property(lambda self: self._protocol)
    unique_id = property(lambda self: self._id)

    def open(self) -> None:
        self._transfer()
        self._open = True

    def close(self) -> None:
        self._open = False

    def connect(self, protocol: DebugProbe.Protocol | None = None) -> None:
        self._transfer()
        self._protocol = DebugProbe.Protocol.SWD

    def disconnect(self) -> None:
        self._protocol = None

    def set_clock(self, frequency: float) -> None: ...

    def swd_sequence(self, sequences: Any) -> tuple[int, Sequence[bytes]]:
        return 0, ()

    def reset(self) -> None:
        self.core.reset()

    def assert_reset(self, asserted: bool) -> None:
        if self._reset and not asserted:
            self.core.reset()
        self._reset = asserted

    def is_reset_asserted(self) -> bool:
        return self._reset

    def _transfer(self, count: int = 1) -> None:
        if self.transfers_left is not None:
            self.transfers_left -= count
            if self.transfers_left < 0:
                if self in self.connected:
                    self.connected.remove(self)
                raise exceptions.ProbeError("[Errno 19] No such device")

    # -- the debug port --

    def read_dp(self, addr: int, now: bool = True) -> Any:
        self._transfer()
        value, bank = 0, self._select & 0xF
        if addr & 0xF == 0:  # identification; of ADIv6 also: addresses have 32 bits, and begin at 0
            value = (self.chip.debug_port, 32, 1, 0)[bank if self._is_v6 else 0]
        if addr & 0xF == _STATUS and self._select & 0xF == 0:
            value = self._power | sum(bit << 1 for bit in _POWER_ASKED if self._power & bit)
        return value if now else lambda: value

    def write_dp(self, addr: int, data: int) -> None:
        self._transfer()
        if addr & 0xF == _SELECT:
            self._select = data
        elif addr & 0xF == _STATUS:
            self._power = data & sum(_POWER_ASKED)

    # -- the access ports --

    def read_ap(self, addr: int, now: bool = True) -> Any:
        (value,) = self._read(addr, 1)
        return value if now else lambda: value

    def write_ap(self, addr: int, data: int) -> None:
        self.write_ap_multiple(addr, [data])

    def read_ap_multiple(self, addr: int, count: int = 1, now: bool = True) -> Any:
        values = self._read(addr, count)
        return values if now else lambda: values

    def write_ap_multiple(self, addr: int, values: Sequence[int]) -> None:
        self._transfer(len(values))
        port, register = self._register(addr)
        if port == 0 and register == _CSW:
            self._csw = values[-1]
        elif port == 0 and register == _TAR:
            self._tar = values[-1]
        elif port == 0 and register == _DRW:
            for value in values:
                self._write_memory(value)
        elif (port, register, values[-1]) == _ERASE_ALL and port in self.chip.ports:
            self.is_locked = False
            self.chip.flash.cells[:] = b"\xff" * len(self.chip.flash.cells)

    def _read(self, addr: int, count: int) -> list[int]:
        self._transfer(count)
        port, register = self._register(addr)
        if self._is_v6 and port:
            return [_PORT_TABLE.get(register, 0)] * count
        if port:
            return [self.chip.ports.get(port, {}).get(register, 0)] * count
        if register == _DRW:
            return [self._read_memory() for _ in range(count)]
        fixed = {_CSW: self._csw | 0x40, _TAR: self._tar, _BASE: _TABLE | 3, _IDR: _AHB}
        return [fixed.get(register, 0)] * count

    def _register(self, addr: int) -> tuple[int, int]:
        """The number of an access port, of which 0 is that to memory, and its register."""
        if self._is_v6:
            at = self._select & 0xFFFFFFF0 | addr & 0xC
            register = at - _MEMORY_PORT - _PORT_REGISTERS
            return (0, register) if 0 <= register < 0x100 else (1, at)
        return self._select >> 24, self._select & 0xF0 | addr & 0xC

    def _lane(self) -> tuple[int, int]:
        """The bytes of the next access, and the bits that they are shifted by."""
        return 1 << (self._csw & 7), 8 * (self._tar & 3)

    def _advance(self, size: int) -> None:
        if self._csw & 0x30:
            low = (self._tar + size) % _WRAP
            self._tar = self._tar - self._tar % _WRAP + low

    def _check_lock(self) -> None:
        if self.is_locked:
            raise BusFaultError

    def _read_memory(self) -> int:
        size, shift = self._lane()
        try:
            self._check_lock()
            value = int.from_bytes(self.core.read(self._tar, size), "little") << shift
        except BusFaultError as fault:
            raise exceptions.TransferFaultError from fault
        self._advance(size)
        return value

    def _write_memory(self, value: int) -> None:
        size, shift = self._lane()
        data = (value >> shift & (1 << 8 * size) - 1).to_bytes(size, "little")
        try:
            self._check_lock()
            self.core.write(self._tar, data)
        except BusFaultError as fault:
            raise exceptions.TransferFaultError from fault
        self._advance(size)


_TABLE_KIND, _CORESIGHT, _GENERIC = 0x10, 0x90, 0xE0  # classes of components


def _ids(base: int, kind: int, part: int, architecture: int = 0) -> dict[int, int]:
    """The identification of a component of Arm's."""
    words = {base + 0xFF0 + 4 * i: byte for i, byte in enumerate((0x0D, kind, 0x05, 0xB1))}
    parts = (part & 0xFF, part >> 8 | 0xB0, 0x0B, 0)
    words |= {base + 0xFE0 + 4 * i: byte for i, byte in enumerate(parts)}
    return words | {base + 0xFD0: 0x04, base + 0xFBC: architecture}


def component_ids(chip: Chip) -> dict[int, int]:
    """The table by which a debugger finds the core, and the identification of both."""
    words = {_TABLE: (_SCS - _TABLE) & 0xFFFFF000 | 3, _TABLE + 4: 0, _TABLE + 0xFCC: 1}
    kind, architecture = (_GENERIC, 0) if chip.scs_part < 0xD00 else (_CORESIGHT, 0x47702A04)
    return words | _ids(_TABLE, _TABLE_KIND, 0x4C4) | _ids(_SCS, kind, chip.scs_part, architecture)


# Of ADIv6: the table of access ports, and the identification of the one to memory.
_PORT_TABLE = {
    **{0: _MEMORY_PORT | 3, 4: 0, 0xFCC: 1},
    **_ids(0, _TABLE_KIND, 0x4C4),
    **_ids(_MEMORY_PORT, _CORESIGHT, 0x9E3, 0x47700A17),
}
