"""From a compiled model to a firmware image: runs SCons, and reads what it built."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tinyflash import toolchain
from tinyflash.boards import Board
from tinyflash.errors import BoardError, BuildError
from tinyflash.paths import source_root

KERNELS = "ref"


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
    """Builds output/firmware.elf with the model.c and model.h of the folder `model`."""
    _check_tools()
    for name in ("model.c", "model.h"):
        if not (model / name).is_file():
            raise BuildError(f"{model / name} is missing; tinyflash compile -o {model} makes it")
    output.mkdir(parents=True, exist_ok=True)
    settings = {"BOARD": board.name, "MODEL": model, "BUILD": output, "KERNELS": kernels}
    command = [sys.executable, "-m", "SCons", "-C", str(source_root()), "-Q", "--silent"]
    command += [f"-j{os.cpu_count() or 1}", "firmware"]
    command += [f"{k}={v.absolute() if isinstance(v, Path) else v}" for k, v in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise _failure(board, done.stdout + done.stderr, output)
    return output / "firmware.elf"


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
    (output / "build.log").write_text(log, encoding="utf-8")
    lines = [line for line in log.splitlines() if "error: " in line] or log.splitlines()[-1:]
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
