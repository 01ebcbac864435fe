"""tinyflash build: builds firmware for a compiled model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyflash import files
from tinyflash.boards import Board, load_board, with_place
from tinyflash.boards.firmware import (
    IMAGE,
    build_firmware,
    firmware_size,
    region_use,
)
from tinyflash.boards.memory import Region
from tinyflash.boards.named import model_name
from tinyflash.boards.stale import report_of
from tinyflash.cli import options
from tinyflash.cli.features_option import features as features_option
from tinyflash.cli.stale import say_stale
from tinyflash.errors import BoardError, BuildError
from tinyflash.show.report import add_image, compilation
from tinyflash.show.words import counted
from tinyflash.spectrogram import RAW, parse
from tinyflash.training.front_end import check_same, learned_from

folder_argument = click.argument("folder", type=options.PATH)


@click.command(cls=options.Command)
@folder_argument
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
    check_folder(folder)
    if front_end != RAW and not collect:
        raise click.UsageError("--features needs --collect.")
    features = None if front_end == RAW else parse(front_end, None)
    if collect:
        text, what = (RAW if features is None else features.text), "this firmware"
        check_same(learned_from(folder), f"what the model of {folder} has learned from", text, what)
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


def check_folder(folder: Path) -> None:
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
