"""Board descriptions: reads boards/*/board.toml, and the board.toml of a user's own folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyflash.boards.cross import Cross, cross_for
from tinyflash.boards.linker import linker_script
from tinyflash.boards.memory import RAM, Placement, Region, default_placement, moved, read_regions
from tinyflash.boards.packs import PACKS, pack_of_set
from tinyflash.boards.probe_target import ProbeTarget, read_probe_target
from tinyflash.errors import BoardError
from tinyflash.paths import source_root
from tinyflash.runtime.store import Geometry
from tinyflash.sources import AUTO, FOR_PCS, HELIUM, REFERENCE, kernel_sets, kernels_of

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")  # a device sends at most 63 bytes of it

_ANY_CORE = "any_core"  # the part that every board has
OWN_SENSOR = "board"
NOT_RUN = "not run on hardware"  # what boards without an emulator are

_HELIUM_CORES = ("-mcpu=cortex-m52", "-mcpu=cortex-m55", "-mcpu=cortex-m85")


@dataclass(frozen=True)
class Qemu:
    """How QEMU emulates a board. In counted runs, one instruction takes 2^icount_shift ns."""

    machine: str
    icount_shift: int
    ticks_per_instruction: float


@dataclass(frozen=True)
class Board:
    """A board folder. `shared`: the folders of boards/parts that it also uses.

    kernels: kernel sets, preferred first; the last one is the reference, which has all kernels.
    AUTO before them: of several kernels that suit a layer, the one that costs least is taken.
    usb: numbers of the serial ports that its debugger can be, "vendor:product" in hexadecimal.
    uf2_family: of its images in the format UF2; None: its boot loader does not take that.
    sensor: the folder of boards/parts that has its sensor (boards/sensor.h), or OWN_SENSOR if its
    own folder has; None: it has none.
    todo: what its board.c still lacks; no firmware is built until that is empty.
    """

    name: str
    description: str
    mcu: str
    cpu_flags: tuple[str, ...]
    shared: tuple[str, ...]
    regions: tuple[Region, ...]
    place: Placement
    stack_bytes: int
    folder: Path
    qemu: Qemu | None  # None: a real board
    kernels: tuple[str, ...] = (REFERENCE,)
    store: Geometry | None = None  # None: what it learns is lost when the power goes
    store_address: int | None = None  # None: its driver alone knows
    usb: tuple[str, ...] = ()
    uf2_family: int | None = None
    sensor: str | None = None
    todo: tuple[str, ...] = ()
    probe: ProbeTarget | None = None  # None: debug probes do not flash it

    @property
    def source_folders(self) -> tuple[str, ...]:
        """The folders of its drivers, relative to the source root, or absolute."""
        parts = (*self.shared, _ANY_CORE)
        return (str(self.folder), *(f"boards/parts/{name}" for name in parts))

    @property
    def sensor_folders(self) -> tuple[str, ...]:
        """The folder of its sensor's driver, if that is not one of `source_folders`."""
        return () if self.sensor in (None, OWN_SENSOR) else (f"boards/parts/{self.sensor}",)

    @property
    def flash_bytes(self) -> int:
        """The size of the region that code is in."""
        return self.region(self.place.code).size

    @property
    def sram_bytes(self) -> int:
        """The size of all RAM that the placement uses."""
        return sum(region.size for region in self.used_ram)

    @property
    def ram(self) -> tuple[Region, ...]:
        return tuple(region for region in self.regions if region.kind == RAM)

    @property
    def used_ram(self) -> tuple[Region, ...]:
        """The regions of RAM that something is placed in."""
        return tuple(region for region in self.ram if self.place.parts_in(region.name))

    def region(self, name: str) -> Region:
        """Returns the region with this name."""
        return next(region for region in self.regions if region.name == name)

    @property
    def cross(self) -> Cross:
        """The tools for its core."""
        return cross_for(self.cpu_flags)

    @property
    def linker_script(self) -> str:
        return linker_script(self.regions, self.place, self.stack_bytes, self.cross.entry)

    @property
    def core(self) -> str:
        """Its core as compilers name it, without extensions: `cortex-m55`; "" if no flag says."""
        names = [flag for flag in self.cpu_flags if flag.startswith("-mcpu=")]
        return names[-1].removeprefix("-mcpu=").split("+")[0] if names else ""

    @property
    def helium(self) -> bool:
        """Whether its flags let the compiler use Helium, whose registers are those of the FPU."""
        extensions = {part for flag in self.cpu_flags for part in flag.split("+")}
        floats = extensions & {"-mfloat-abi=softfp", "-mfloat-abi=hard"}
        if not floats or extensions & {"nomve", "nodsp"}:
            return False
        return bool(extensions & {"mve", "mve.fp", *_HELIUM_CORES})

    @property
    def emulated(self) -> bool:
        return self.qemu is not None


def with_kernels(board: Board, names: Sequence[str]) -> Board:
    """Returns a board with other kernel sets than its own, preferred first. Raises BoardError."""
    try:
        _check_kernels(tuple(names))
    except ValueError as error:
        raise BoardError(str(error)) from error
    return replace(board, kernels=tuple(names))


def with_place(board: Board, moves: Sequence[str]) -> Board:
    """Returns a board with parts of an image in other regions. moves: PART=REGION. Raises
    BoardError."""
    pairs = [move.partition("=") for move in moves]
    for move, (part, equals, region) in zip(moves, pairs, strict=True):
        if not (part and equals and region):
            raise BoardError(f"--place {move}: write PART=REGION, as in arena=dtcm")
    try:
        place = moved(board.place, board.regions, [(part, region) for part, _, region in pairs])
    except ValueError as error:
        raise BoardError(f"board {board.name}: {error}") from error
    return replace(board, place=place)


def kernels_for(board: Board | None) -> tuple[str, ...]:
    """Returns the kernel sets to compile with, preferred first. None: for the host. Raises
    BuildError if the pack of a set is missing."""
    if board is None:
        return (REFERENCE,)
    for name in board.kernels:
        pack_of_set(name)
    return tuple(
        name + HELIUM if board.helium and name in PACKS else name for name in board.kernels
    )


def counted_core(board: Board | None) -> str:
    """Returns the core whose counted instructions hold for a board; None: a Cortex-M4."""
    from tinyflash.compiler.kernels import instructions  # not where boards alone are needed

    return instructions.M4 if board is None else instructions.counted_core(board.core, board.helium)


def boards() -> tuple[Board, ...]:
    """Returns all boards, by name."""
    found = sorted((source_root() / "boards").glob("*/board.toml"))
    return tuple(read_board(path) for path in found)


def load_board(name: str) -> Board:
    """Returns the board with this name, or the one whose folder this is. Raises BoardError if there
    is none."""
    known = boards()
    for board in known:
        if board.name == name:
            return board
    folder = Path(name)
    if name and folder.is_dir():
        return read_board(folder.resolve() / "board.toml")
    names = ", ".join(board.name for board in known)
    raise BoardError(
        f"board {name!r} is unknown; choose one of {names}, or give the folder of your own board"
    )


def read_board(path: Path) -> Board:
    """Reads a board.toml."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        return _board(path.parent, fields)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise BoardError(f"{path}: not a board description: {error}") from error
    except ValueError as error:
        raise BoardError(f"{path}: {error}") from error


def _board(folder: Path, fields: dict[str, Any]) -> Board:
    if not _NAME.fullmatch(folder.name):
        raise ValueError(
            f"the folder {folder.name!r} names the board; it may have up to 63 letters, digits, "
            "'_', '-' and '.'"
        )
    qemu, store, probe = (fields.pop(name, None) for name in ("qemu", "store", "probe"))
    address = None if store is None else store.pop("address", None)
    fields.setdefault("kernels", [REFERENCE])
    fields.setdefault("usb", [])
    fields.setdefault("todo", [])
    for key in ("cpu_flags", "shared", "kernels", "usb", "todo"):
        fields[key] = tuple(fields[key])
    _check_kernels(fields["kernels"])
    regions = read_regions(fields.pop("regions"))
    place = default_placement(regions, fields.pop("place", {}))
    geometry = None if store is None else _store(Geometry(**store))
    return Board(
        name=folder.name,
        folder=folder,
        regions=regions,
        place=place,
        qemu=None if qemu is None else Qemu(**qemu),
        store=geometry,
        store_address=None if geometry is None else _store_address(address, geometry, regions),
        probe=None if probe is None else read_probe_target(probe),
        **fields,
    )


def _store(flash: Geometry) -> Geometry:
    """Raises ValueError for sizes that tinyflash/store.h forbids."""
    page, sector = flash.page_bytes, flash.sector_bytes
    if page not in (4, 8, 16, 32, 64, 128, 256):
        raise ValueError(f"store: page_bytes = {page!r} is not 4, 8, 16, 32, 64, 128 or 256")
    if not isinstance(sector, int) or sector < 32 or sector % page:
        raise ValueError(f"store: sector_bytes = {sector!r} is not a multiple of page_bytes")
    if not isinstance(flash.sectors, int) or not flash.sectors >= 2 or flash.size >= 2**32:
        raise ValueError(f"store: sectors = {flash.sectors!r} is not at least 2, or too many")
    return flash


def _store_address(address: Any, store: Geometry, regions: Sequence[Region]) -> int | None:
    """Raises ValueError for a store within the memory of programs."""
    if address is None:
        return None
    if not isinstance(address, int) or address < 0 or address % store.page_bytes:
        raise ValueError(f"store: address = {address!r} is not a multiple of page_bytes")
    for region in regions:
        if region.origin < address + store.size and address < region.addresses.stop:
            raise ValueError(f"store: address = 0x{address:08x} is in the region {region.name!r}")
    return address


def _check_kernels(sets: tuple[str, ...]) -> None:
    """Raises ValueError if a set is unknown, or a kernel could be in none of the sets."""
    known = [name for name in kernel_sets(source_root()) if name != FOR_PCS]
    for name in sets[1:] if sets[:1] == (AUTO,) else sets:
        if name not in known:
            raise ValueError(
                f"kernels: {name!r} is not a kernel set; choose from {', '.join(known)}"
            )
        if not kernels_of(source_root(), name):
            raise ValueError(
                f"kernels: lib/kernels/{name} defines no kernel; begin a line with "
                f"TINY_OP(add_forward_{name}) {{"
            )
    if sets[-1:] != (REFERENCE,):
        raise ValueError(f"kernels: the last set must be {REFERENCE!r}, which has every kernel")
