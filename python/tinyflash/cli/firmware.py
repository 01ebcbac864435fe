"""tinyflash build, flash: builds firmware for a compiled model and puts it onto a board."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from tinyflash import files
from tinyflash.boards import NOT_RUN, Board, load_board, with_place
from tinyflash.boards.emulator import FLASH, Emulator
from tinyflash.boards.firmware import (
    IMAGE,
    build_firmware,
    firmware_board,
    firmware_size,
    region_use,
)
from tinyflash.boards.flashing import flash_board
from tinyflash.boards.image import (
    FORMATS,
    Piece,
    copy_to_drive,
    encoded,
    pieces_of,
    write_image,
)
from tinyflash.boards.memory import Region
from tinyflash.boards.named import model_name
from tinyflash.boards.renode import Renode
from tinyflash.boards.replay import write_replay
from tinyflash.boards.stale import check_image, report_of
from tinyflash.cli import options, replay_option
from tinyflash.cli.features_option import features as features_option
from tinyflash.cli.stale import say_stale
from tinyflash.errors import BoardError, BuildError
from tinyflash.show.console import counting
from tinyflash.show.report import add_image, compilation
from tinyflash.show.words import counted
from tinyflash.spectrogram import RAW, parse

_folder = click.argument("folder", type=options.PATH)


def _seconds(_context: object, _parameter: object, value: float | None) -> float | None:
    if value is not None and not value >= 0:  # also refuses NaN
        raise click.BadParameter(f"{value} is not a number >= 0.")
    return value


@click.command(cls=options.Command)
@_folder
@options.board
@options.place
@options.guard
@options.replay
@options.pairing_key
@click.option(
    "--collect",
    type=click.IntRange(0, 1 << 24),
    default=0,
    show_default=True,
    metavar="BYTES",
    help="Memory for frames of the board's sensor, until a host has read them; 0: no sensor.",
)
@features_option()
@click.option("--name", help="Name of the model in C, if FOLDER holds several.")
@options.as_json
def build(
    folder: Path,
    board: str | None,
    places: tuple[str, ...],
    guard: int,
    replay: int,
    pairing_key: bytes | None,
    collect: int,
    front_end: str,
    name: str | None,
    as_json: bool,
) -> None:
    """Build FOLDER/firmware.elf from the model compiled to FOLDER.

    Parts of the image are in the regions that compile was told, if any, else in the board's. With
    --pairing-key, the board takes commands only from hosts that have the key. With --collect,
    `tinyflash collect` records its sensor; with --features, what a front end on the board makes of
    it.
    """
    _check_folder(folder)
    if front_end != RAW and not collect:
        raise click.UsageError("--features needs --collect.")
    features = None if front_end == RAW else parse(front_end, None)
    name = model_name(folder, name)
    target = with_place(_as_compiled(_board(folder, board, name), folder, name), places)
    files.to_fill(folder, (*IMAGE, *compilation(name)))
    elf = build_firmware(
        folder,
        target,
        folder,
        guard,
        name,
        pairing_key=pairing_key,
        collect=collect,
        replay=replay,
        features=features,
    )
    say_stale(folder)
    size = firmware_size(elf)
    used = region_use(elf, target)
    add_image(folder, target, size, name, used)
    if as_json:
        about = {"image": str(elf), "board": target.name, "name": name}
        click.echo(json.dumps({**about, **asdict(size), "regions": used}, indent=2))
        return
    click.echo(
        f"{elf}: flash {size.flash_bytes:,} of {target.flash_bytes:,} bytes, SRAM "
        f"{size.sram_bytes:,} of {target.sram_bytes:,} (stack {size.stack_bytes:,}, "
        f"of which {size.stack_use_bytes:,} can be used)"
    )
    if len(target.ram) > 1:
        click.echo("regions: " + ", ".join(_region_text(r, used[r.name]) for r in target.regions))
    if guard:
        click.echo(
            f"guard: {size.guard_bytes:,} bytes of that for {counted(guard, 'held-out sample')} "
            f"and the best weights; an evaluation runs {counted(guard, 'inference')}"
        )
    if replay:
        click.echo(
            f"replay: {size.replay_bytes:,} bytes of that for {counted(replay, 'sample')} of each "
            "class"
        )


@click.command(cls=options.Command)
@_folder
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
) -> None:
    """Put FOLDER/firmware.elf onto its board, or run it if the board is emulated.

    A board is written by its debug probe (with pyOCD), read back and reset. What it has saved
    stays, unless --factory is given. --format and --drive write the image for other ways.

    Of an emulated board, prints the serial port. What it saves is in FOLDER/flash.bin, and is
    loaded at the next start; in Renode it is lost. An image outside of the board's flash is
    refused.
    """
    _check_folder(folder)
    if (kind is not None or drive is not None or renode) and (probe is not None or factory):
        raise click.UsageError("--probe and --factory are not for --format, --drive and --renode.")
    elf = folder / "firmware.elf"
    target = _built_for(elf, board)
    check_image(elf, board)
    pieces = pieces_of(elf, target)
    if kind is not None:
        written = write_image(elf, target, kind)
        click.echo(f"wrote {written}: {_where(pieces)}")
    if drive is not None:
        copied = copy_to_drive(encoded(pieces, "uf2", target), drive, f"{target.name}.uf2")
        click.echo(f"copied to {copied}: {_where(pieces)} (its drivers were {NOT_RUN})")
    if kind is not None or drive is not None:
        return
    if not target.emulated and not renode:
        if replay is not None:
            raise BoardError(f"board {target.name} is not emulated; its sensor replays nothing")
        used = flash_board(target, pieces, probe, factory, counting)
        click.echo(
            f"{target.name} has it, read back by the debug probe {used}: {_where(pieces)} "
            f"(its drivers were {NOT_RUN})"
        )
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
        click.echo(f"{target.name} runs; its serial port is {emulator.url} (Ctrl-C stops it)")
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


def _where(pieces: Sequence[Piece]) -> str:
    size = sum(len(piece.data) for piece in pieces)
    return f"{counted(size, 'byte')}, 0x{pieces[0].address:08x} to 0x{pieces[-1].end - 1:08x}"


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BuildError(f"{folder} is not a folder; give one that tinyflash compile -o wrote")


def _board(folder: Path, board: str | None, name: str) -> Board:
    """Returns the board that a user names, or the one that the model `name` was compiled for."""
    if board is not None:
        return load_board(board)
    compiled_for = _compiled_for(folder, name)
    try:
        return load_board(compiled_for)
    except BoardError as error:
        raise BoardError(f"{folder} is compiled for {error}; pass --board") from None


def _as_compiled(board: Board, folder: Path, name: str) -> Board:
    """Returns the board with the placement of the report, if that is for this board."""
    report = report_of(folder, name)
    place = report.get("place")
    if report.get("board") != board.name or not isinstance(place, dict):
        return board
    return with_place(board, [f"{part}={region}" for part, region in place.items()])


def _region_text(region: Region, used: int) -> str:
    return f"{region.name} {used:,} of {region.size:,} bytes"


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


def _compiled_for(folder: Path, name: str) -> str:
    path, report = folder / "report.json", report_of(folder, name)
    other = report_of(folder).get("name")
    if not report and other is not None:
        raise BuildError(f"{path} is that of the model {other}; pass --board")
    if "board" not in report:
        raise BuildError(f"{path} is missing or damaged; tinyflash compile -o {folder}")
    board = report["board"]
    if not isinstance(board, str):
        raise BoardError(f"{folder} was compiled without a board; name one with --board")
    return board
