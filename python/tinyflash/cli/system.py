"""tinyflash boards, doctor: lists boards, installed tools and missing tools."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from tinyflash.boards import NOT_RUN, toolchain
from tinyflash.boards import boards as known_boards
from tinyflash.boards.device_pack import find_device
from tinyflash.boards.new_board import folder_name, write_board
from tinyflash.cli import options
from tinyflash.errors import BuildError
from tinyflash.paths import how_to_install, is_installed
from tinyflash.show.console import output, table

_PACKAGES = ("tinyflash", "numpy", "cffi", "scons", "pyserial")
_OPTIONAL = (
    ("check", "./run check"),
    ("test", "./run test"),
    ("speech", "the task keywords"),
)
_EXTRAS = {
    "onnx": ".onnx files",
    "onnxruntime": "bench accuracy, bench quantize",
    "onnxscript": "PyTorch modules",
    "torch": "PyTorch modules, design, and predictors of data horizon",
    "cmsis-pack-manager": "packs from the index",
    "soundfile": "importing WAV and FLAC",
    "cbor2": "importing CBOR",
    "pyocd": "flashing by a debug probe",
    "ray": "choose --on, on a cluster",
}
_MISSING = "[bold red]missing[/]"


@click.group(cls=options.Listing)
@options.as_json
@click.pass_context
def boards(context: click.Context, as_json: bool) -> None:
    """List the boards that firmware can be built for, or add one."""
    if context.invoked_subcommand is None:
        _list_boards(as_json)
    elif as_json:
        raise click.UsageError("--json is of the list; leave it out.")


@boards.command(cls=options.Command)
@click.option("--device", required=True, help="Name of the chip in its pack: STM32F746NGHx.")
@click.option("--index", metavar="URL", help="Index of packs. Default: the public one.")
@click.option(
    "-o", "--out", "output", type=options.PATH,
    help="Folder of the board, whose name is the board's. Default: the device's name.",
)  # fmt: skip
def add(device: str, index: str | None, output: Path | None) -> None:
    """Make the folder of a new board from the CMSIS pack of its chip.

    The pack knows core, memory regions and flash algorithm. It does not know the serial line, its
    pins and the clock: board.c marks them, and build refuses the board until you have written them.
    Needs cmsis-pack-manager.
    """
    folder = output or Path(folder_name(device))
    written = write_board(find_device(device, index), folder)
    click.echo(f"wrote {', '.join(written)} to {folder}; write what board.c marks with TODO")


def _list_boards(as_json: bool) -> None:
    if as_json:
        found = [
            {
                "name": board.name,
                "description": board.description,
                "emulated": board.emulated,
                "sram_bytes": sum(r.size for r in board.ram),
                "flash_bytes": board.flash_bytes,
            }
            for board in known_boards()
        ]
        click.echo(json.dumps(found, indent=2))
        return
    rows = table("Boards", "name", ">SRAM, B", ">flash, B", "")
    for board in known_boards():
        what = board.description + ("" if board.emulated else f"; {NOT_RUN}")
        rows.add_row(
            board.name, f"{sum(r.size for r in board.ram):,}", f"{board.flash_bytes:,}", what
        )
    output().print(rows)


@click.command(cls=options.Command)
@options.as_json
def doctor(as_json: bool) -> None:
    """List what is installed, what is missing, and how to install it.

    Exit 1 if something is missing, except what the table calls optional.
    """
    if as_json:
        click.echo(json.dumps(_found(), indent=2))
    else:
        _show()
    manager = toolchain.package_manager()
    absent = toolchain.missing(_required())
    if absent:
        names = ", ".join(tool.name for tool in absent)
        how = toolchain.install_command([*absent, *toolchain.missing(["check"])], manager)
        raise BuildError(f"{names} missing; install with: {how}")
    packages = [name for name in _PACKAGES if _version(name) is None]
    if packages:
        raise BuildError(f"{', '.join(packages)} missing; run: {how_to_install(*packages)}")
    if as_json:
        return
    for group, purpose in _OPTIONAL:
        optional = toolchain.missing([group])
        if optional:
            click.echo(f"for {purpose}: {toolchain.install_command(optional, manager)}")
    for name, purpose in _EXTRAS.items():
        if _version(name) is None:
            click.echo(f"for {purpose}: {how_to_install(name)}")


def _found() -> list[dict[str, Any]]:
    """Returns what doctor looks for. found: a path or version; null: missing."""
    tools = [
        (tool.name, tool.find(), tool.group not in _required(), tool.purpose)
        for tool in toolchain.TOOLS
    ]
    needed = [(name, _version(name), False, "") for name in _PACKAGES]
    extras = [(name, _version(name), True, purpose) for name, purpose in _EXTRAS.items()]
    names = ("name", "found", "optional", "for")
    return [dict(zip(names, one, strict=True)) for one in (*tools, *needed, *extras)]


def _show() -> None:
    rows = table("What tinyflash uses", "", "", "for")
    for tool in toolchain.TOOLS:
        rows.add_row(tool.name, tool.find() or _missing(tool.group), tool.purpose)
    rows.add_section()
    rows.add_row("Python", sys.version.split()[0], sys.prefix)
    for name in _PACKAGES:
        rows.add_row(name, _version(name) or _MISSING, "")
    for name, purpose in _EXTRAS.items():
        rows.add_row(name, _version(name) or "missing, optional", purpose)
    output().print(rows)


def _missing(group: str) -> str:
    return _MISSING if group in _required() else "missing, optional"


def _required() -> tuple[str, ...]:
    """Returns the groups of tools that must be there: those that compile the library for this
    computer only where it did not come compiled."""
    return ("boards",) if is_installed() else ("python", "boards")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
