"""tinyflash flash: puts firmware onto a board, or runs it if the board is emulated."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from tinyflash.boards import NOT_RUN, Board, load_board
from tinyflash.boards.emulator import FLASH, Emulator
from tinyflash.boards.firmware import firmware_board
from tinyflash.boards.flashing import flash_board
from tinyflash.boards.image import FORMATS, Piece, copy_to_drive, encoded, pieces_of, write_image
from tinyflash.boards.renode import Renode
from tinyflash.boards.replay import write_replay
from tinyflash.boards.stale import check_image
from tinyflash.cli import options, replay_option
from tinyflash.cli.firmware import check_folder, folder_argument
from tinyflash.errors import BoardError
from tinyflash.show.console import counting
from tinyflash.show.words import counted

_STAYS = "the drive is still there: if it stays, its boot loader did not take the image"


def _seconds(_context: object, _parameter: object, value: float | None) -> float | None:
    if value is not None and not value >= 0:  # also refuses NaN
        raise click.BadParameter(f"{value} is not a number >= 0.")
    return value


@click.command(cls=options.Command)
@folder_argument
@options.board
@click.option(
    "--exit-after", type=float, callback=_seconds, help="Seconds to run. Default: until Ctrl-C."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="Only write the image beside firmware.elf, for your own tool: Intel HEX, raw bytes, UF2.",
)
@click.option(
    "--drive",
    type=options.PATH,
    metavar="FOLDER",
    help="Copy the image, as UF2, to the drive that a board in its boot loader is.",
)
@replay_option.replay
@replay_option.rate
@click.option("--renode", is_flag=True, help="Run it in Renode, if the board has renode.resc.")
@click.option(
    "--probe",
    type=options.Probe(),
    metavar="ID",
    help="The debug probe of the board: its ID, or a part. Default: the only one.",
)
@click.option("--factory", is_flag=True, help="Also erase what the board has saved.")
@options.as_json
def flash(
    folder: Path,
    board: str | None,
    exit_after: float | None,
    kind: str | None,
    drive: Path | None,
    replay: str | None,
    rate: float | None,
    renode: bool,
    probe: str | None,
    factory: bool,
    as_json: bool,
) -> None:
    """Put FOLDER/firmware.elf onto its board, or run it if the board is emulated.

    A board is written by its debug probe (with pyOCD), read back and reset. What it has saved
    stays, unless --factory is given. --format and --drive write the image for other ways.

    Of an emulated board, prints the serial port. What it saves is in FOLDER/flash.bin, and is
    loaded at the next start; in Renode it is lost. An image outside of the board's flash is
    refused.
    """
    check_folder(folder)
    if (kind is not None or drive is not None or renode) and (probe is not None or factory):
        raise click.UsageError("--probe and --factory are not for --format, --drive and --renode.")
    elf = folder / "firmware.elf"
    target = _built_for(elf, board)
    check_image(elf, board)
    pieces = pieces_of(elf, target)
    if kind is not None:
        written = write_image(elf, target, kind)
        text = f"wrote {written}: {_where(pieces)}"
        _tell(as_json, text, board=target.name, output=str(written), **_place(pieces))
    if drive is not None:
        copied, started = copy_to_drive(encoded(pieces, "uf2", target), drive, target)
        then = "the drive went, as it does when the board starts" if started else _STAYS
        text = f"copied to {copied}: {_where(pieces)} (its drivers were {NOT_RUN}); {then}"
        values = {"output": str(copied), "drive_went": started, **_place(pieces)}
        _tell(as_json, text, board=target.name, **values)
    if kind is not None or drive is not None:
        return
    if not target.emulated and not renode:
        if replay is not None:
            raise BoardError(f"board {target.name} is not emulated; its sensor replays nothing")
        used = flash_board(target, pieces, probe, factory, counting)
        text = (
            f"{target.name} has it, read back by the debug probe {used}: {_where(pieces)} "
            f"(its drivers were {NOT_RUN})"
        )
        _tell(as_json, text, board=target.name, probe=used, **_place(pieces))
        return
    sensor = None
    if replay is not None:
        write_replay(folder, replay_option.chosen(replay, rate))
        sensor = folder
    emulator = (
        Renode(target, elf) if renode else _emulator(target, elf, folder, probe, factory, sensor)
    )
    end = None if exit_after is None else time.monotonic() + exit_after
    with emulator, suppress(KeyboardInterrupt):
        text = f"{target.name} runs; its serial port is {emulator.url} (Ctrl-C stops it)"
        _tell(as_json, text, board=target.name, port=emulator.url)
        while end is None or time.monotonic() < end:
            if (reason := emulator.why_dead()) is not None:
                raise BoardError(reason)
            time.sleep(0.1)


def _emulator(
    board: Board, elf: Path, folder: Path, probe: str | None, factory: bool, sensor: Path | None
) -> Emulator:
    """Returns the board in QEMU, with its flash in the folder. sensor: the folder of its
    recording."""
    if probe is not None:
        raise BoardError(f"board {board.name} is emulated; it has no debug probe")
    if factory:
        if board.store is None:
            raise BoardError(f"board {board.name} has no store, so that --factory erases nothing")
        (folder / FLASH).unlink(missing_ok=True)
    flash = folder if board.store is not None else None
    return Emulator(board, elf, flash=flash, sensor=sensor)


def _tell(as_json: bool, text: str, **values: object) -> None:
    """Prints a line, or an object of JSON on one line: a script reads the port while the board
    runs."""
    click.echo(json.dumps(values) if as_json else text)


def _place(pieces: Sequence[Piece]) -> dict[str, int]:
    size = sum(len(piece.data) for piece in pieces)
    return {"bytes": size, "first": pieces[0].address, "last": pieces[-1].end - 1}


def _where(pieces: Sequence[Piece]) -> str:
    size = sum(len(piece.data) for piece in pieces)
    return f"{counted(size, 'byte')}, 0x{pieces[0].address:08x} to 0x{pieces[-1].end - 1:08x}"


def _built_for(elf: Path, name: str | None) -> Board:
    """Returns the board that an image was built for. Raises BoardError if `name` is another one."""
    built = firmware_board(elf)
    board = load_board(built if name is None else name)
    if board.name != built:
        raise BoardError(
            f"{elf} was built for board {built}, not {board.name}; "
            f"run: tinyflash build {elf.parent} --board {name}"
        )
    return board
