"""Builds a firmware image of a compiled model with SCons, and reads its sizes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.elf.elffile import ELFFile

from tinyflash import files
from tinyflash.boards import toolchain
from tinyflash.boards.description import Board
from tinyflash.boards.memory import MODEL, RAM
from tinyflash.boards.named import header_text, model_files, model_name, packed_sets
from tinyflash.boards.packs import pack_of_set
from tinyflash.boards.stale import ORIGIN, check_compilation, write_origin
from tinyflash.errors import BoardError, BuildError
from tinyflash.paths import source_root

if TYPE_CHECKING:
    from tinyflash.spectrogram import Spectrogram

_SPECIAL = frozenset("\"'`\\$&;|<>()*?,\n\t")  # in names of the folders of sources and build
STACK_GUARD_BYTES = 32  # at the low end of a stack, protected by the processor
# The lines of a failed build that say why; the linker's lines come before collect2's.
_CAUSE = re.compile(r"error: (?!ld returned)|undefined reference|/ld: (?!.*(warning:|in function))")

IMAGE = ("firmware.elf", "firmware.map", ORIGIN)  # the files that a build writes
_GUARD = ("held_out_samples", "held_out_labels", "best_weights")  # of firmware/commands/guard.c
_REPLAY = ("replayed_samples",)  # of firmware/commands/replay.c


@dataclass(frozen=True)
class FirmwareSize:
    """Bytes that an image takes on its board."""

    flash_bytes: int  # code, constants, and the initial values of variables
    sram_bytes: int  # all used SRAM, including the stack
    stack_bytes: int  # reserved for the stack
    stack_use_bytes: int  # the worst case
    guard_bytes: int  # of SRAM: held-out samples, and the guard's copy of the best weights
    replay_bytes: int = 0  # of SRAM: the replay buffer

    @property
    def static_bytes(self) -> int:
        """The SRAM of variables: model, link, library."""
        return self.sram_bytes - self.stack_bytes


def build_firmware(
    model: Path,
    board: Board,
    output: Path,
    guard: int = 0,
    name: str | None = None,
    work: Path | None = None,
    pairing_key: bytes | None = None,
    collect: int = 0,
    replay: int = 0,
    features: Spectrogram | None = None,
) -> Path:
    """Builds output/firmware.elf and .map with a model in the folder `model`, and writes what the
    image was built from. Raises BuildError if the model's files are of different compilations.

    guard: held-out samples to reserve room for; 0: no guard. name: of the model in C, if the folder
    holds several. SCons works in its own temporary folder, so that builds can run in parallel, and
    so that folder names, which reach the tools through a shell, can have any character. work: a
    folder in its place, which a caller keeps: after the first build for a board, only the model is
    compiled. pairing_key: 16 bytes, which a host must have; None: any host will do.
    collect: bytes of the ring for frames of the board's sensor; 0: the image collects none. replay:
    samples of each class that a replay buffer keeps; 0: none. features: what the board makes of
    its sensor's frames; None: it gives them as they are.
    """
    _check_tools(board)
    if collect and board.sensor is None:
        raise BoardError(
            f"board {board.name} has no sensor to collect from; write a driver "
            "(boards/sensor.h) and name it in its board.toml, sensor = ..."
        )
    if board.todo:
        raise BoardError(
            f"board {board.name} is not finished: write {', '.join(board.todo)} in "
            f"{board.folder / 'board.c'}, then delete `todo` in its board.toml"
        )
    name = model_name(model, name)
    named = packed_sets((model / f"{name}.c").read_bytes())
    board = replace(board, kernels=tuple(dict.fromkeys((*named, *board.kernels))))
    nothing = f"#define {name.upper()}_WEIGHTS_BYTES 0u\n"
    if guard and nothing in header_text(model / f"{name}.h"):
        raise BuildError(f"{model} trains nothing that a guard can watch; compile with a scheme")
    check_compilation(model, name)
    kept = nullcontext(work) if work else tempfile.TemporaryDirectory(prefix="tinyflash-")
    with kept as private:
        copy, build = Path(private, "model"), Path(private, "build")
        for file in model_files(name):
            files.write_bytes(copy / file, (model / file).read_bytes())
        settings = {**_settings(board), "MODEL": copy, "BUILD": build, "NAME": name}
        settings |= {"GUARD": guard, "COLLECT": collect, "REPLAY": replay}
        if features is not None:
            settings["FEATURES"] = features.text
        if pairing_key is not None:
            key = Path(private, "pairing.key")
            files.write_bytes(key, pairing_key.hex().encode())
            settings["KEY"] = key
        log = _run_scons("firmware", settings)
        if log is not None:
            _check_stack(board, log, build)
            raise _failure(board, log.replace(str(copy), str(model)), output, guard, replay)
        check_board(build / "firmware.elf", board)
        for file in ("firmware.map", "firmware.elf"):
            files.write_bytes(output / file, (build / file).read_bytes())
    write_origin(output / "firmware.elf", model, name, board.name, guard, replay)
    return output / "firmware.elf"


def compile_objects(board: Board, folder: Path, guard: int = 0, collect: int = 0) -> Path:
    """Compiles library, firmware and drivers without a model. Returns the objects' folder."""
    _check_tools(board)
    model = source_root() / "firmware" / "no_model"
    settings = {**_settings(board), "MODEL": model, "BUILD": folder, "GUARD": guard}
    settings["COLLECT"] = collect
    log = _run_scons("objects", settings)
    if log is not None:
        raise _failure(board, log, folder, guard)
    return folder / "objects"


def _settings(board: Board) -> dict[str, object]:
    """Returns what SConstruct finds the board and the packs of its kernel sets by. Raises
    BuildError if a pack is missing."""
    packs = [pack for name in board.kernels if (pack := pack_of_set(name))]
    _check_folders(*(pack.folder for pack in packs))
    place = ",".join(f"{part}={region}" for part, region in vars(board.place).items())
    return {"BOARD": _argument(board), "KERNELS": ",".join(board.kernels), "PLACE": place}


def _argument(board: Board) -> str:
    """Returns what SConstruct finds the board by: its name, or the folder of a user's own."""
    if board.folder.parent == source_root() / "boards":
        return board.name
    _check_folders(board.folder)
    return str(board.folder)


def check_board(elf: Path, board: Board) -> None:
    """Raises BoardError if the image names another board than the folder of its board.toml."""
    named = firmware_board(elf)
    if named != board.name:
        raise BoardError(
            f"{board.folder}: its image has board_name = {named!r}, its folder is {board.name!r}; "
            "make them equal in board.c"
        )


def _run_scons(target: str, settings: Mapping[str, object]) -> str | None:
    """Builds a target of SConstruct. Returns the output if the build failed."""
    _check_folders(source_root(), Path(tempfile.gettempdir()))
    # -P: a user's types.py in the current folder is not Python's own
    command = [sys.executable, "-P", "-m", "SCons", "-C", str(source_root()), "-Q", "--silent"]
    command += [f"-j{os.cpu_count() or 1}", target]
    command += [f"{name}={value}" for name, value in settings.items()]
    environment = {k: v for k, v in os.environ.items() if k != "SCONSFLAGS"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return None if done.returncode == 0 else done.stdout + done.stderr


def _check_folders(*folders: Path) -> None:
    """Raises BuildError for names that SCons, the shell or the linker would take apart."""
    for folder in folders:
        strange = sorted(set(str(folder)) & _SPECIAL)
        if strange:
            raise BuildError(
                f"firmware cannot be built from {str(folder)!r}, whose name has {strange[0]!r}; "
                "move it to a folder without special characters"
            )


def can_compile(board: Board) -> bool:
    """Whether all tools for firmware of this board are installed."""
    return not board.cross.missing()


def _check_tools(board: Board) -> None:
    absent = board.cross.missing()
    if absent:
        names = ", ".join(tool.name for tool in absent)
        how = toolchain.install_command(absent, toolchain.package_manager())
        raise BuildError(f"{names} missing; install with: {how}")


def _check_stack(board: Board, log: str, folder: Path) -> None:
    """Raises BoardError if the linker failed because of the stack (boards/parts/cortex_m)."""
    if "stack_bytes is less than" in log:
        use = int((folder / "stack.ld").read_text(encoding="utf-8").split()[2].rstrip(";"))
        raise stack_error(board, use)


def stack_needed(use: int) -> int:
    """Returns the bytes to reserve for a stack use of `use` bytes: with its guard, in its units."""
    return -(-(use + STACK_GUARD_BYTES) // STACK_GUARD_BYTES) * STACK_GUARD_BYTES


def stack_error(board: Board, use: int) -> BoardError:
    """Returns the error for a board that reserves less than that."""
    needed = stack_needed(use)
    return BoardError(
        f"board {board.name}: its stack of {board.stack_bytes:,} bytes is smaller than the "
        f"{needed:,} that the firmware may need; set stack_bytes = {needed} in its board.toml"
    )


def _failure(
    board: Board, log: str, output: Path, guard: int, replay: int = 0
) -> BoardError | BuildError:
    """Returns one line that says why a build failed. Writes the whole output to
    output/build.log."""
    overflow = re.search(r"region [`'](\w+)' overflowed by (\d+) bytes", log)
    if overflow:
        region = board.region(overflow[1])
        less = "train fewer layers" + (", guard with fewer samples" if guard else "")
        less += ", keep fewer samples to replay" if replay else ""
        less += ", place a part elsewhere" if len(board.ram) > 1 and region.kind == RAM else ""
        return BoardError(
            f"board {board.name}: the firmware is {int(overflow[2]):,} bytes too large for its "
            f"{region.size:,} bytes of {region.name.upper()}; {less} or take a larger board"
        )
    kernel = re.search(r"undefined reference to [`']tiny_op_(\w+)'", log)
    if kernel:
        return BuildError(
            f"the model's table names the kernel {kernel[1]}, which {board.name} has not; compile "
            "the model for this board"
        )
    files.write_bytes(output / "build.log", log.encode())
    lines = [line for line in log.splitlines() if _CAUSE.search(line)] or log.splitlines()[-1:]
    first = lines[0].strip() if lines else "SCons printed nothing"
    return BuildError(f"building for {board.name} failed: {first}; see {output / 'build.log'}")


def firmware_size(elf: Path) -> FirmwareSize:
    """Returns the sizes of the image, from its sections."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        sizes = {s.name: int(s["sh_size"]) for s in image.iter_sections() if s["sh_flags"] & 2}
        symbols = list(image.get_section_by_name(".symtab").iter_symbols())
        bytes_of = {s.name: int(s["st_size"]) for s in symbols}
        use = [int(s["st_value"]) for s in symbols if s.name == "board_stack_use"]
    stack, data = sizes.get(".stack", 0), sizes.get(".data", 0)
    return FirmwareSize(
        flash_bytes=sizes[".text"] + data,
        sram_bytes=stack + data + sum(sizes.get(f".{name}", 0) for name in ("bss", *MODEL)),
        stack_bytes=stack,
        stack_use_bytes=sum(use),
        guard_bytes=sum(bytes_of.get(name, 0) for name in _GUARD),
        replay_bytes=sum(bytes_of.get(name, 0) for name in _REPLAY),
    )


def region_use(elf: Path, board: Board) -> dict[str, int]:
    """Returns the bytes that the image takes of each region."""
    used = {region.name: 0 for region in board.regions}
    with elf.open("rb") as file:
        image = ELFFile(file)
        ends = [(s["sh_addr"], s["sh_size"]) for s in image.iter_sections() if s["sh_flags"] & 2]
        starting = [s for s in image.iter_sections() if s.name == ".data"]
        used[board.place.code] += sum(int(s["sh_size"]) for s in starting)  # initial values
    for address, size in ends:
        for region in board.regions:
            if size and address in region.addresses:
                used[region.name] += int(size)
    return used


def firmware_board(elf: Path) -> str:
    """Returns the board that an image was built for: the firmware's `board_name`."""
    if not elf.is_file():
        raise BuildError(f"{elf} is missing; run tinyflash build")
    try:
        with elf.open("rb") as file:
            image = ELFFile(file)
            (symbol,) = image.get_section_by_name(".symtab").get_symbol_by_name("board_name")
            section = image.get_section(symbol["st_shndx"])
            start = symbol["st_value"] - section["sh_addr"]
            name = section.data()[start : start + symbol["st_size"]].rstrip(b"\0").decode("ascii")
            if image["e_machine"] in ("EM_ARM", "EM_RISCV") and name:
                return str(name)
    except Exception:  # a damaged file can provoke any of a dozen exceptions
        pass
    raise BuildError(f"{elf} is not a tinyflash firmware; run tinyflash build")
