"""tinyflash build, flash: from a compiled model to a board that runs it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import click

from tinyflash.boards import Board, load_board
from tinyflash.build import build_firmware, firmware_size
from tinyflash.cli import options
from tinyflash.device import Emulator
from tinyflash.errors import BoardError, BuildError

_folder = click.argument("folder", type=options.PATH)


@click.command()
@_folder
@options.board
def build(folder: Path, board: str | None) -> None:
    """Build the firmware of the model that was compiled to FOLDER: FOLDER/firmware.elf."""
    target = _board(folder, board)
    elf = build_firmware(folder, target, folder)
    size = firmware_size(elf)
    click.echo(
        f"{elf}: flash {size.flash_bytes:,} of {target.flash_bytes:,} bytes, SRAM "
        f"{size.sram_bytes:,} of {target.sram_bytes:,} (stack {size.stack_bytes:,})"
    )


@click.command()
@_folder
@options.board
@click.option("--exit-after", type=float, help="Seconds to run; without it, until Ctrl-C.")
def flash(folder: Path, board: str | None, exit_after: float | None) -> None:
    """Run FOLDER/firmware.elf on its board; an emulated one starts, and says where its port is."""
    target = _board(folder, board)
    if not target.emulated:
        raise BoardError(f"board {target.name} is a real one; copy {folder}/firmware.elf onto it")
    end = None if exit_after is None else time.monotonic() + exit_after
    with Emulator(target, folder / "firmware.elf") as emulator, suppress(KeyboardInterrupt):
        click.echo(f"{target.name} runs; its serial port is {emulator.url} (Ctrl-C ends it)")
        while end is None or time.monotonic() < end:
            if (reason := emulator.why_dead()) is not None:
                raise BoardError(reason)
            time.sleep(0.1)


def _board(folder: Path, name: str | None) -> Board:
    """The board of this name, or the one that the model was compiled for."""
    return load_board(name or _compiled_for(folder))


def _compiled_for(folder: Path) -> str:
    path = folder / "report.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["board"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BuildError(f"{path} is missing or damaged; tinyflash compile -o {folder}") from None
    if not isinstance(name, str):
        raise BoardError(f"{folder} was compiled for no board; name one with --board")
    return name
