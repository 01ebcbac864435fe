"""The chips of the boards, as far as flashing them needs."""

from __future__ import annotations

from tests.support.chips.core import Chip
from tests.support.chips.memories import Flash, Nvmc, Rp2Rom, Stm32F4, Stm32H7

KB = 1024
M0PLUS, M4, M7, M33 = 0x410CC601, 0x410FC241, 0x411FC271, 0x411FD210
_SMALL_FIRST = [1, 1, 1, 1, 4, 8, 8, 8]  # sectors of STM32F4 and F7, in parts of the smallest


def nrf52840() -> Chip:
    flash = Flash(0, [4 * KB] * 256)
    ids = {0x10000100: 0x52840, 0x10000104: 0x41414430, 0x10000108: 0x2004, 0x10001208: 0xFFFFFFFF}
    unlocked = {0x0C: 1, 0xFC: 0x12880000}
    return Chip(M4, flash, Nvmc(flash), {0x20000000: 256 * KB}, ids, ports={1: unlocked})


def stm32f446() -> Chip:
    flash = Flash(0x08000000, [16 * KB * n for n in _SMALL_FIRST])
    ids = {0xE0042000: 0x10006421}
    return Chip(M4, flash, Stm32F4(flash), {0x20000000: 128 * KB}, ids)


def stm32f746() -> Chip:
    flash = Flash(0x08000000, [32 * KB * n for n in _SMALL_FIRST])
    ids = {0xE0042000: 0x10016449}
    return Chip(M7, flash, Stm32F4(flash), {0x20000000: 320 * KB}, ids)


def stm32h743() -> Chip:
    flash = Flash(0x08000000, [128 * KB] * 16)
    ids = {0x5C001000: 0x20036450, 0x5C001004: 0}
    ram = {0x20000000: 128 * KB, 0x24000000: 512 * KB}
    return Chip(M7, flash, Stm32H7(flash), ram, ids)


def rp2040() -> Chip:
    flash = Flash(0x10000000, [4 * KB] * 512)
    ids = {0x40000000: 0x20002927}
    chip = Chip(M0PLUS, flash, Rp2Rom(flash), {0x20000000: 264 * KB}, ids, scs_part=0x008)
    chip.debug_port = 0x0BC12477
    return chip


def rp2350() -> Chip:
    """In the secure state, as after a reset."""
    flash = Flash(0x10000000, [4 * KB] * 1024)
    ids = {0x40000000: 0x20004927, 0xE000ED44: 0x210, 0xE000EE08: 1 << 16}
    rom = Rp2Rom(flash, version=2)
    chip = Chip(M33, flash, rom, {0x20000000: 520 * KB}, ids, scs_part=0xD21)
    chip.debug_port = 0x4C013477
    return chip
