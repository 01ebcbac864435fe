"""From a compiled model to a firmware image: runs SCons, and reads what it built."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tinyflash import files, toolchain
from tinyflash.boards import Board
from tinyflash.errors import BoardError, BuildError
from tinyflash.paths import source_root

KERNELS = "ref"
# Of a failed build, the lines that say why; the linker's own come before collect2's.
_CAUSE = re.compile(r"error: (?!ld returned)|undefined reference|/ld: (?!.*(warning:|in function))")


@dataclass(frozen=True)
class FirmwareSize:
    """Bytes that an image takes on its board."""

    flash_bytes: int  # code, constants, and the initial values of variables
    sram_bytes: int  # all of SRAM that is spoken for, the stack included
    stack_bytes: int  # reserved for the stack

    @property
    def static_bytes(self) -> int:
        """SRAM of variables: model, link, library."""
        return self.sram_bytes - self.stack_bytes


def build_firmware(model: Path, board: Board, output: Path, kernels: str = KERNELS) -> Path:
    """Builds output/firmware.elf and .map with the model.c and model.h of the folder `model`.

    SCons works in a folder of its own, so that builds may go on side by side, and so that names of
    folders, which reach the tools through a shell, may hold any character.
    """
    _check_tools()
    for name in ("model.c", "model.h"):
        if not (model / name).is_file():
            raise BuildError(f"{model / name} is missing; tinyflash compile -o {model} makes it")
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as private:
        copy, build = Path(private, "model"), Path(private, "build")
        for name in ("model.c", "model.h"):
            files.write_bytes(copy / name, (model / name).read_bytes())
        log = _run_scons({"BOARD": board.name, "MODEL": copy, "BUILD": build, "KERNELS": kernels})
        if log is not None:
            raise _failure(board, log.replace(str(copy), str(model)), output)
        for name in ("firmware.map", "firmware.elf"):
            files.write_bytes(output / name, (build / name).read_bytes())
    return output / "firmware.elf"


def _run_scons(settings: Mapping[str, object]) -> str | None:
    """Builds the target `firmware`; returns what was said if that failed."""
    command = [sys.executable, "-m", "SCons", "-C", str(source_root()), "-Q", "--silent"]
    command += [f"-j{os.cpu_count() or 1}", "firmware"]
    command += [f"{name}={value}" for name, value in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def _check_tools() -> None:
    absent = [tool for tool in toolchain.missing(["boards"]) if tool.name != "QEMU"]
    if absent:
        names = ", ".join(tool.name for tool in absent)
        how = toolchain.install_command(absent, toolchain.package_manager())
        raise BuildError(f"{names} missing; install with: {how}")


def _failure(board: Board, log: str, output: Path) -> BoardError | BuildError:
    """The one line that says why a build failed; all that was said goes to output/build.log."""
    overflow = re.search(r"region [`'](\w+)' overflowed by (\d+) bytes", log)
    if overflow:
        have = board.flash_bytes if overflow[1] == "FLASH" else board.sram_bytes
        return BoardError(
            f"board {board.name}: the firmware is {int(overflow[2]):,} bytes too large for its "
            f"{have:,} bytes of {overflow[1]}; train fewer layers or take a larger board"
        )
    files.write_bytes(output / "build.log", log.encode())
    lines = [line for line in log.splitlines() if _CAUSE.search(line)] or log.splitlines()[-1:]
    first = lines[0].strip() if lines else "SCons said nothing"
    return BuildError(f"building for {board.name} failed: {first}; see {output / 'build.log'}")


def firmware_size(elf: Path) -> FirmwareSize:
    """What the image takes, by its sections."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        sizes = {s.name: int(s["sh_size"]) for s in image.iter_sections() if s["sh_flags"] & 2}
    stack, data = sizes.get(".stack", 0), sizes.get(".data", 0)
    return FirmwareSize(
        flash_bytes=sizes[".text"] + data,
        sram_bytes=stack + data + sizes.get(".bss", 0),
        stack_bytes=stack,
    )


def firmware_board(elf: Path) -> str:
    """The name of the board that an image was built for: the firmware's own `board_name`."""
    if not elf.is_file():
        raise BuildError(f"{elf} is missing; tinyflash build makes it")
    try:
        with elf.open("rb") as file:
            image = ELFFile(file)
            (symbol,) = image.get_section_by_name(".symtab").get_symbol_by_name("board_name")
            section = image.get_section(symbol["st_shndx"])
            start = symbol["st_value"] - section["sh_addr"]
            name = section.data()[start : start + symbol["st_size"]].rstrip(b"\0").decode("ascii")
            if image["e_machine"] == "EM_ARM" and name:
                return str(name)
    except Exception:  # a damaged file can provoke any of a dozen exceptions
        pass
    raise BuildError(f"{elf} is no firmware of tinyflash for an Arm; tinyflash build makes one")
