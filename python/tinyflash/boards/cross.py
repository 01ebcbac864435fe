"""The tools for a kind of cores: compiler, C library, emulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyflash.boards import toolchain
from tinyflash.boards.toolchain import ARM, QEMU, QEMU_RISCV, RISCV, Tool


@dataclass(frozen=True)
class Cross:
    """The tools for a kind of cores. headers, libc: GCC's flags to compile and to link with the C
    library. entry: the function that their programs start with. tools: names in TOOLS of
    toolchain.py; the last is the emulator's."""

    gcc: str
    headers: tuple[str, ...]
    libc: str
    entry: str
    emulator: tuple[str, ...]
    tools: tuple[str, ...]

    def missing(self) -> list[Tool]:
        """Returns the missing tools that firmware is built with."""
        return self._missing(self.tools[:-1])

    def missing_emulator(self) -> list[Tool]:
        return self._missing(self.tools[-1:])

    @staticmethod
    def _missing(names: Sequence[str]) -> list[Tool]:
        return [tool for tool in toolchain.TOOLS if tool.name in names and tool.find() is None]


_CORTEX_M = Cross(
    *(ARM, (), "--specs=nano.specs", "cortex_m_reset"),
    *((QEMU,), ("Arm GCC", "newlib", "QEMU")),
)
_PICOLIBC = "--specs=picolibc.specs"
_RISCV = Cross(
    *(RISCV, (_PICOLIBC,), _PICOLIBC, "riscv_reset"),
    (QEMU_RISCV, "-bios", "none"),
    ("RISC-V GCC", "picolibc", "QEMU for RISC-V"),
)


def cross_for(cpu_flags: Sequence[str]) -> Cross:
    """Returns the tools for the core that GCC's flags name."""
    return _RISCV if any(flag.startswith("-march=rv") for flag in cpu_flags) else _CORTEX_M
