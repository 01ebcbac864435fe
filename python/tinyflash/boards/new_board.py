"""Makes the folder of a new board from what a CMSIS pack says of its chip.

The pack knows core, memories and flash algorithm. It does not know the serial line, its pins and
the clock: board.c marks them, and `todo` in board.toml keeps builds from using them before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tinyflash import files
from tinyflash.boards.device_pack import Device, Memory
from tinyflash.boards.memory import FLASH, RAM, Region
from tinyflash.errors import BoardError, printable
from tinyflash.files import toml_value

_STACK_BYTES = 2048
_GRAIN = 32  # bytes; where regions begin and end
_ALGORITHM = re.compile(r"[A-Za-z0-9_][\w.+ ()-]*\.(?:flm|elf)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class _Core:
    """How firmware is compiled for a core: GCC's name, float ABI, parts, kernel sets."""

    gcc: str
    parts: tuple[str, ...]
    kernels: tuple[str, ...] = ("ref",)
    floats: str = "soft"


_V7M = ("armv7m", "cycle_counter")
_V8M = ("armv8m", "cycle_counter")
_DSP, _MVE = ("dsp", "ref"), ("mve", "ref")
_CORES: Mapping[str, _Core] = MappingProxyType(
    {
        "CortexM0": _Core("cortex-m0", ("armv6m",)),
        "CortexM0Plus": _Core("cortex-m0plus", ("armv6m",)),
        "CortexM1": _Core("cortex-m1", ("armv6m",)),
        "CortexM3": _Core("cortex-m3", _V7M),
        "CortexM4": _Core("cortex-m4", _V7M, _DSP),
        "CortexM7": _Core("cortex-m7", (*_V7M, "cortex_m7"), _DSP),
        "CortexM33": _Core("cortex-m33", _V8M, _DSP),
        "CortexM35P": _Core("cortex-m35p", _V8M, _DSP),
        # Helium for integers, whose registers are those of the FPU
        "CortexM55": _Core("cortex-m55+nofp", _V8M, _MVE, "softfp"),
        "CortexM85": _Core("cortex-m85+nofp", _V8M, _MVE, "softfp"),
    }
)


def write_board(device: Device, folder: Path) -> tuple[str, ...]:
    """Writes board.toml, board.c and the flash algorithms; returns their names. Raises BoardError
    if the folder holds something, or if the device cannot be a board."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BoardError(f"{folder} exists; name another folder with -o, or remove it")
    core = _CORES.get(device.core)
    if core is None:
        raise BoardError(
            f"{device.name} has the core {device.core}, for which this project has no start-up; "
            f"it has it for {', '.join(_CORES)}"
        )
    contents = {
        "board.toml": _description(device, core).encode(),
        "board.c": _source(folder.name, core).encode(),
        **_algorithms(device),
    }
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    return tuple(contents)


def _algorithms(device: Device) -> dict[str, bytes]:
    """Returns the content of each algorithm by its file's name. Raises BoardError for a name that
    no algorithm has, which could be that of another file, and for two contents of one name."""
    contents: dict[str, bytes] = {}
    for algorithm in device.algorithms:
        name = algorithm.name
        if not _ALGORITHM.fullmatch(name):
            raise BoardError(
                f"the pack of {device.name} has a flash algorithm with the odd name "
                f"{printable(name)!r}"
            )
        if contents.setdefault(name, algorithm.content) != algorithm.content:
            raise BoardError(f"the pack of {device.name} has two flash algorithms named {name}")
    return contents


def folder_name(device: str) -> str:
    """Returns what a board with this device is called by default."""
    return re.sub(r"[^a-z0-9_.-]", "_", device.lower())


def regions_of(device: Device) -> tuple[Region, ...]:
    """Returns the regions of a device: those that programs are linked to by default, first; then
    other RAM. Other flash is most often a second address of the first. Raises BoardError."""
    first = [memory for memory in device.memories if memory.by_default]
    rest = [m for m in device.memories if not m.by_default and m.writable]
    chosen: list[Memory] = []
    for memory in (*first, *rest) if first else device.memories:
        if _inner(memory)[1] and not any(_overlap(memory, other) for other in chosen):
            chosen.append(memory)
    beyond = next((m for m in chosen if m.start + m.size > 1 << 32), None)
    if beyond is not None:
        raise BoardError(f"the pack of {device.name} has {beyond.name} reach beyond 32 bits")
    names = _names(chosen)
    regions = tuple(_region(*one, device) for one in zip(chosen, names, strict=True))
    if {region.kind for region in regions} != {FLASH, RAM}:
        listed = ", ".join(memory.name for memory in device.memories) or "none"
        raise BoardError(f"the pack of {device.name} names no flash or no RAM, but: {listed}")
    return regions


def _overlap(a: Memory, b: Memory) -> bool:
    return a.start < b.start + b.size and b.start < a.start + a.size


def _inner(memory: Memory) -> tuple[int, int]:
    """Returns origin and size of what a region may have of a memory."""
    origin = -(-memory.start // _GRAIN) * _GRAIN
    return origin, max(memory.start + memory.size - origin, 0) // _GRAIN * _GRAIN


def _names(memories: Sequence[Memory]) -> list[str]:
    """Returns a name for each region: those of packs may be longer, and have other characters."""
    names: list[str] = []
    for number, memory in enumerate(memories):
        name = re.sub(r"[^a-z0-9_]", "_", memory.name.lower())[:16]
        name = name if name[:1].isalpha() else f"m{name}"[:16]
        if name in names:
            name = f"{name[:12]}_{number}"
        names.append(name)
    return names


def _region(memory: Memory, name: str, device: Device) -> Region:
    origin, size = _inner(memory)
    by_algorithm = any(a.start <= origin < a.start + a.size for a in device.algorithms)
    return Region(name, RAM if memory.writable and not by_algorithm else FLASH, origin, size)


def _description(device: Device, core: _Core) -> str:
    """Returns board.toml."""
    parts = ["cortex_m", *core.parts, "halt"]
    if device.has_mpu and "armv6m" in parts:
        parts[parts.index("armv6m")] = "armv6m_mpu"
    flags = [f"-mcpu={core.gcc}", "-mthumb", f"-mfloat-abi={core.floats}"]
    rows = [
        f'    {{ name = "{r.name}", kind = "{r.kind}", origin = 0x{r.origin:08x}, '
        f"size = {r.size} }},"
        for r in regions_of(device)
    ]
    algorithms = [
        f"# Flash algorithm: {printable(a.name)}, for {a.size} bytes at 0x{a.start:08x}."
        for a in device.algorithms
    ]
    cores = (
        f"# The device has more cores, which this board does not start: "
        f"{printable(', '.join(device.other_cores))}."
    )
    return "\n".join(
        [
            f"# Made from the CMSIS pack {printable(device.pack)}.",
            f"description = {toml_value(device.name)}",
            f"mcu = {toml_value(device.name)}",
            *((cores,) if device.other_cores else ()),
            f"cpu_flags = {toml_value(flags)}",
            f"shared = {toml_value(parts)}",
            f"kernels = {toml_value(core.kernels)}",
            "# What the pack does not know, in board.c. Delete this line when it is there.",
            'todo = ["the serial line and its pins", "the clock"]',
            *algorithms,
            "regions = [",
            *rows,
            "]",
            f"stack_bytes = {_STACK_BYTES}",
            *(_probe(device) if device.algorithms else ()),
            "",
        ]
    )


def _probe(device: Device) -> tuple[str, ...]:
    """Returns the lines by which a debug probe flashes it."""
    pack = device.pack.split()[0]
    return (
        "",
        f"# For pyOCD, which needs: tinyflash packs add {printable(pack)}",
        "[probe]",
        f'target = "{re.sub("[^a-z0-9_]", "_", device.name.lower())}"',
        f"pack = {toml_value(pack)}",
    )


_CLOCK = """\
/* TODO: the frequency of the core after start_clock. */
const uint32_t board_ticks_per_second = 0;
"""
_OWN_CLOCK = """\
/* TODO: a free-running counter of 32 bits, and its rate: the core has none. */
const uint32_t board_ticks_per_second = 0;

uint32_t board_ticks(void) { return 0; }
"""


def _source(name: str, core: _Core) -> str:
    """Returns board.c, which compiles, and whose parts that are to be written say so."""
    counts = "cycle_counter" in core.parts
    include = '#include "parts/cycle_counter/cycle_counter.h"\n' if counts else ""
    caches = "cortex_m7" in core.parts
    include = ('#include "parts/cortex_m7/cortex_m7.h"\n' if caches else "") + include
    start = "    cortex_m7_start_caches();\n" if caches else ""
    start += "    start_clock();\n" + ("    cycle_counter_start();\n" if counts else "")
    return f"""\
/* {name}: what its chip's pack does not know. Each TODO is to be written, from the reference
 * manual of the chip and the schematic of the board; docs/adding-a-board.md shows how. Then delete
 * `todo` in board.toml. */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
{include}
#define UART_LINE 0 /* TODO: the interrupt line of the UART */

const char board_name[] = "{name}";
{_CLOCK if counts else _OWN_CLOCK}
/* TODO: the oscillator, the PLL, the waits of the flash. */
static void start_clock(void) {{}}

/* TODO: the clock of the UART and of its port, its two pins, 115,200 baud, 8 bits, no parity, an
 * interrupt for each received byte. */
static void start_uart(void) {{ cortex_m_arm(UART_LINE); }}

void board_init(void) {{
{start}    start_uart();
}}

/* TODO: whether a received byte waits in the UART. */
static int has_received(void) {{ return 0; }}

/* TODO: the next received byte instead of 0. */
int board_uart_read(void) {{ return has_received() ? 0 : -1; }}

void board_idle(void) {{
    cortex_m_rearm(UART_LINE);
    if (!has_received()) {{
        cortex_m_sleep();
    }}
}}

/* TODO: send each byte when the UART has room for it. */
void board_uart_write(const uint8_t *bytes, uint32_t count) {{
    (void)bytes;
    (void)count;
}}
"""
