"""tinyflash sources: where the C library is, for builds of your own."""

from __future__ import annotations

import json

import click

from tinyflash.cli import options
from tinyflash.paths import source_root
from tinyflash.sources import library_sources


@click.command(cls=options.Command)
@click.option("--include", "what", flag_value="include", help="Print only the include path.")
@click.option("--sources", "what", flag_value="sources", help="Print only the C files.")
@click.option(
    "--cmake", "what", flag_value="cmake", help="Set TINYFLASH_INCLUDE and TINYFLASH_SOURCES."
)
@click.option(
    "--examples", "what", flag_value="examples", help="Print the folder of complete examples."
)
@options.as_json
def sources(what: str | None, as_json: bool) -> None:
    """Print include path and C files of the library, one per line.

    Without an option, prints them as arguments of a compiler: cc main.c model.c $(tinyflash
    sources).
    """
    root = source_root()
    include, files = str(root / "include"), [str(path) for path in library_sources(root)]
    if as_json:
        if what is not None:
            raise click.UsageError(f"--{what} is part of what --json prints; leave it out.")
        found = {"include": include, "sources": files, "examples": str(root / "examples")}
        click.echo(json.dumps(found, indent=2))
        return
    lines = {
        "include": [include],
        "sources": files,
        "cmake": [_cmake("TINYFLASH_INCLUDE", [include]), _cmake("TINYFLASH_SOURCES", files)],
        "examples": [str(root / "examples")],
    }
    for line in lines[what] if what else [f"-I{include}", *files]:
        click.echo(line)


def _cmake(variable: str, paths: list[str]) -> str:
    """Returns a command of CMake. In double brackets, no character of a path has a meaning."""
    return f"set({variable}" + "".join(f"\n    [==[{path}]==]" for path in paths) + ")"
