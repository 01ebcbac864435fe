"""A Cortex-M as a debugger sees it. It runs what is in RAM in unicorn; a program in flash only
counts as started."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import unicorn
from tests.support.chips.memories import Controller, Flash, Rp2Rom
from unicorn import arm_const as arm

_PAGE = 0x1000
_PERIPHERALS = (0x40000000, 0x20000000)
_SYSTEM = (0xE000E000, _PAGE)
_BREAKPOINT = 0xBE  # the upper byte of the instruction
_LIMIT = 50_000_000  # instructions of one call

# Debug registers (Armv7-M Architecture Reference Manual, C1.6)
CPUID, AIRCR = 0xE000ED00, 0xE000ED0C
DHCSR, DCRSR, DCRDR, DEMCR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC
_KEY, _VECTOR_KEY = 0xA05F, 0x05FA
_DEBUG, _HALT = 1, 2
_READY, _HALTED, _WAS_RESET = 1 << 16, 1 << 17, 1 << 25
_CATCH_RESET = 1
_RESET_REQUEST = 1 << 2
_REGISTERS = [
    *(arm.UC_ARM_REG_R0 + i for i in range(13)),
    *(arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC),
]
_SP, _LR, _PC, _STATE = 13, 14, 15, 16


@dataclass
class Chip:
    """What a chip is. ids: words that it can be told by, by address. rom: content at 0. More than
    one access port: `ports`, the identification of each further one, and its registers."""

    cpuid: int
    flash: Flash
    controller: Controller
    ram: dict[int, int]  # size by address
    ids: dict[int, int]
    scs_part: int = 0x00C  # of the system control space, by which debuggers find the core
    debug_port: int = 0x2BA01477
    ports: dict[int, dict[int, int]] = field(default_factory=dict)


class BusFaultError(Exception):
    """Nothing is at an address."""


class Core:
    """Halts, runs, resets. started: the first instructions that it began with after resets."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.started: list[int] = []
        self.registers = [0] * 64
        self.words: dict[int, int] = {CPUID: chip.cpuid, **chip.ids}
        self.debugged = self.halted = self.was_reset = False
        self._uc = self._machine()
        if isinstance(chip.controller, Rp2Rom):
            self._give_rom(chip.controller)

    def read_ram(self, address: int, count: int) -> bytes:
        return bytes(self._uc.mem_read(address, count))

    # -- the bus of the debugger --

    def read(self, address: int, size: int) -> bytes:
        flash = self.chip.flash
        if any(start <= address < start + count for start, count in self.chip.ram.items()):
            return self.read_ram(address, size)
        if flash.start <= address < flash.end:
            mapped = getattr(self.chip.controller, "mapped", True)
            return flash.read(address, size) if mapped else bytes(size)
        word = self._load(address & ~3).to_bytes(4, "little")
        return word[address & 3 : (address & 3) + size]

    def write(self, address: int, data: bytes) -> None:
        flash = self.chip.flash
        if any(start <= address < start + count for start, count in self.chip.ram.items()):
            self._uc.mem_write(address, data)
        elif flash.start <= address < flash.end:
            self.chip.controller.write(address, data)
        else:
            self._store(address, int.from_bytes(data, "little"))

    def _load(self, address: int) -> int:
        if address == DHCSR:
            flags = (_DEBUG if self.debugged else 0) | (_HALT | _HALTED if self.halted else 0)
            flags |= _READY | (_WAS_RESET if self.was_reset else 0)
            self.was_reset = False
            return flags
        if address in self.chip.controller.registers:
            return self.chip.controller.load(address)
        if address in self.words or address >= 0xE0000000:
            return self.words.get(address, 0)
        raise BusFaultError

    def _store(self, address: int, value: int) -> None:
        if address == DHCSR:
            self._control(value)
        elif address == DCRSR:
            if value & 1 << 16:
                self.registers[value & 0x3F] = self.words.get(DCRDR, 0)
            else:
                self.words[DCRDR] = self.registers[value & 0x3F]
        elif address == AIRCR:
            if value >> 16 == _VECTOR_KEY and value & _RESET_REQUEST:
                self.reset()
        elif address in self.chip.controller.registers:
            self.chip.controller.store(address, value)
        elif address >= 0xE0000000 or address in self.words:
            if address not in (CPUID, *self.chip.ids):
                self.words[address] = value
        else:
            raise BusFaultError

    def _control(self, value: int) -> None:
        if value >> 16 != _KEY:
            return
        self.debugged = bool(value & _DEBUG)
        halt = bool(value & _HALT) and self.debugged
        if self.halted and not halt:
            self.halted = False
            self._run()
        elif halt:
            self.halted = True

    def reset(self) -> None:
        self.chip.controller.reset()
        vectors = self.chip.flash.read(self.chip.flash.start, 8)
        self.registers[_SP] = int.from_bytes(vectors[:4], "little")
        self.registers[_PC] = int.from_bytes(vectors[4:], "little") & ~1
        self.registers[_STATE] = 1 << 24
        self.was_reset = True
        self.halted = self.debugged and bool(self.words.get(DEMCR, 0) & _CATCH_RESET)
        if not self.halted:
            self.started.append(self.registers[_PC])

    # -- running --

    def _run(self) -> None:
        """Until it returns to where its caller has a breakpoint."""
        pc = self.registers[_PC]
        if not any(start <= pc < start + size for start, size in self.chip.ram.items()):
            return
        if self.read_ram(pc, 2)[1] == _BREAKPOINT:
            self.halted = True
            return
        for number, register in enumerate(_REGISTERS):
            self._uc.reg_write(register, self.registers[number])
        end = self.registers[_LR] & ~1
        try:
            self._uc.emu_start(pc | 1, end, count=_LIMIT)
        except unicorn.UcError as error:
            at = self._uc.reg_read(arm.UC_ARM_REG_PC)
            raise AssertionError(f"the core stopped at 0x{at:08x}: {error}") from error
        for number, register in enumerate(_REGISTERS):
            self.registers[number] = self._uc.reg_read(register)
        assert self.registers[_PC] & ~1 == end, (
            f"it ran to 0x{self.registers[_PC]:08x}, not 0x{end:08x}, from 0x{pc:08x}"
        )
        self.halted = True

    def _machine(self) -> Any:
        models = {0xC60: arm.UC_CPU_ARM_CORTEX_M0, 0xC24: arm.UC_CPU_ARM_CORTEX_M4}
        models |= {0xC27: arm.UC_CPU_ARM_CORTEX_M4, 0xD21: arm.UC_CPU_ARM_CORTEX_M33}
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        uc.ctl_set_cpu_model(models[self.chip.cpuid >> 4 & 0xFFF])
        for start, size in self.chip.ram.items():
            uc.mem_map(start, -(-size // _PAGE) * _PAGE)
        uc.hook_add(unicorn.UC_HOOK_INTR, _skip_coprocessor)
        flash = self.chip.flash
        others = {address & ~(_PAGE - 1) for address in self.chip.ids} - {_SYSTEM[0]}
        low = [(start, _PAGE) for start in sorted(others) if start < _PERIPHERALS[0]]
        for start, size in ((flash.start, len(flash.cells)), *low, _PERIPHERALS, _SYSTEM):
            uc.mmio_map(start, size, self._mmio_read, start, self._mmio_write, start)
        return uc

    def _mmio_read(self, _uc: Any, offset: int, size: int, start: int) -> int:
        """Peripherals that no test needs read as 0."""
        with suppress(BusFaultError):
            return int.from_bytes(self.read(start + offset, size), "little")
        return 0

    def _mmio_write(self, _uc: Any, offset: int, size: int, value: int, start: int) -> None:
        with suppress(BusFaultError):
            self.write(start + offset, value.to_bytes(size, "little"))

    def _give_rom(self, rom: Rp2Rom) -> None:
        content, rom.read_ram = rom.content(), self.read_ram
        self._uc.mem_map(0, len(content))
        self._uc.mem_write(0, content)
        arguments = _REGISTERS[:4]

        def step(uc: Any, address: int, _size: int, _data: object) -> None:
            given = tuple(uc.reg_read(register) for register in arguments)
            result = rom.called(address, given)  # type: ignore[arg-type]
            if result is not None:
                uc.reg_write(arguments[0], result)

        self._uc.hook_add(unicorn.UC_HOOK_CODE, step, begin=0, end=len(content))


def _skip_coprocessor(uc: Any, _number: int, _data: object) -> None:
    """The RP2350's algorithm starts a coprocessor that unicorn lacks, and that changes no flash."""
    at = uc.reg_read(arm.UC_ARM_REG_PC)
    if uc.mem_read(at, 2)[1] & 0xEC != 0xEC:
        uc.emu_stop()
        raise AssertionError(f"an exception at 0x{at:08x}")
    uc.reg_write(arm.UC_ARM_REG_PC, at + 4 | 1)
