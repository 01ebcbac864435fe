"""tinyflash packs: adds, lists and removes CMSIS packs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyflash.boards.pack_index import download_pack
from tinyflash.boards.packs import PACKS, add_pack, added_packs, remove_pack
from tinyflash.boards.pdsc import Pack
from tinyflash.cli import options
from tinyflash.show.console import output, table
from tinyflash.show.words import counted


@click.group()
def packs() -> None:
    """Add, list and remove CMSIS packs: kernels of others, or the flash algorithms of chips."""


@packs.command(cls=options.Command)
@click.argument("pack")
@click.option("--index", metavar="URL", help="Index to download from. Default: the public one.")
@options.as_json
def add(pack: str, index: str | None, as_json: bool) -> None:
    """Add PACK: a folder, a .pack file, or VENDOR::NAME from the public index.

    Boards whose kernels list cmsis_nn need ARM::CMSIS-NN. Some boards need the pack of their chip
    for flash. Downloading needs cmsis-pack-manager.
    """
    path = Path(pack)
    local = path.exists() or "::" not in pack
    added = add_pack(path) if local else download_pack(pack, index)
    if as_json:
        click.echo(json.dumps(_fields(added), indent=2))
        return
    what = f"{len(added.sources)} sources"
    if added.algorithms:
        what = counted(len(added.algorithms), "flash algorithm")
    click.echo(f"added {added.name} {added.version}: {what}")


@packs.command("list", cls=options.Command)
@options.as_json
def list_(as_json: bool) -> None:
    """List the packs that are added."""
    if as_json:
        click.echo(json.dumps([_fields(pack) for pack in added_packs()], indent=2))
        return
    rows = table("Packs", "name", "version", "folder")
    for pack in added_packs():
        rows.add_row(pack.name, pack.version, str(pack.folder))
    output().print(rows)


@packs.command(cls=options.Command)
@click.argument("name")
def remove(name: str) -> None:
    """Remove the pack NAME, such as ARM::CMSIS-NN."""
    remove_pack(name)
    sets = [kernel_set for kernel_set, pack in PACKS.items() if pack == name]
    click.echo(f"removed {name}" + "".join(f"; boards that list {one} need it" for one in sets))


def _fields(pack: Pack) -> dict[str, str]:
    return {name: str(getattr(pack, name)) for name in ("name", "version", "folder")}
