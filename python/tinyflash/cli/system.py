"""tinyflash boards, doctor: lists boards, installed tools and missing tools."""

from __future__ import annotations

import sys
from importlib import metadata

import click

from tinyflash.boards import boards as known_boards
from tinyflash.boards import toolchain
from tinyflash.cli import options
from tinyflash.errors import BuildError
from tinyflash.paths import how_to_install
from tinyflash.show.console import output, table


@click.command(cls=options.Command)
def boards() -> None:
    """List the boards that firmware can be built for."""
    rows = table("Boards", "name", ">SRAM, B", ">flash, B", "")
    for board in known_boards():
        rows.add_row(
            board.name, f"{board.sram_bytes:,}", f"{board.flash_bytes:,}", board.description
        )
    output().print(rows)


@click.command(cls=options.Command)
def doctor() -> None:
    """List what is installed, what is missing, and how to install it.

    Exit 1 if a required tool is missing; some are optional.
    """
    rows = table("What tinyflash uses", "", "", "for")
    for tool in toolchain.TOOLS:
        rows.add_row(tool.name, tool.find() or "[bold red]missing[/]", tool.purpose)
    rows.add_section()
    rows.add_row("Python", sys.version.split()[0], sys.prefix)
    for name in ("tinyflash", "numpy", "cffi", "scons", "pyserial"):
        rows.add_row(name, metadata.version(name), "")
    rows.add_row("onnx", _version("onnx") or "missing, optional", "reading .onnx files")
    output().print(rows)
    manager = toolchain.package_manager()
    absent = toolchain.missing(["python", "boards"])
    if absent:
        names = ", ".join(tool.name for tool in absent)
        how = toolchain.install_command([*absent, *toolchain.missing(["check"])], manager)
        raise BuildError(f"{names} missing; install with: {how}")
    for group, purpose in (("check", "./run check"), ("speech", "the task keywords")):
        optional = toolchain.missing([group])
        if optional:
            click.echo(f"for {purpose}: {toolchain.install_command(optional, manager)}")
    if _version("onnx") is None:
        click.echo(f"for .onnx files: {how_to_install('onnx')}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
