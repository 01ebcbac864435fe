"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tinyflash import files
from tinyflash.compiler.plan import EXACT, QUICK
from tinyflash.runtime.schedule import KINDS
from tinyflash.training.loop import Recipe

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)  # the reader checks that the file exists, with one wording


def writable(_context: object, _parameter: object, path: Path | None) -> Path | None:
    """Checks an option that names a file to write, before the work begins."""
    return None if path is None else files.to_write(path)


model = click.argument("model", type=PATH)
scheme = click.option("--scheme", type=PATH, help="Scheme file (TOML): what to train.")
board = click.option("--board", help="Board name; see `tinyflash boards`.")
rows = click.option(
    "--rows", is_flag=True, help="Read the input row by row; never hold all of it in SRAM."
)
effort = click.option(
    "--exact", "effort", is_flag=True,
    callback=lambda _context, _parameter, exact: EXACT if exact else QUICK,
    help="Search longer for the smallest arena: up to half a minute.",
)  # fmt: skip
json_rows = click.option(
    "--json", "json_path", type=PATH, help="Write the rows to this file.",
    callback=writable,
)  # fmt: skip
seed = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
epochs = click.option(
    "--epochs", type=click.IntRange(1), default=Recipe.epochs, show_default=True,
    help="Passes over the samples.",
)  # fmt: skip
rate = click.option(
    "--rate", type=float, default=Recipe.rate, show_default=True,
    help="Learning rate, per real unit of weight.",
)  # fmt: skip
schedule = click.option(
    "--schedule", type=click.Choice(KINDS), default=Recipe.schedule,
    show_default=True, help="Learning-rate schedule.",
)  # fmt: skip
warmup = click.option(
    "--warmup", type=click.IntRange(0), default=Recipe.warmup, show_default=True,
    help="Training steps during which the rate rises from almost 0.",
)  # fmt: skip
guard = click.option(
    "--guard", type=click.IntRange(0), default=0, show_default=True, metavar="SAMPLES",
    help="Held-out samples for the guard; 0: no guard.",
)  # fmt: skip


def output_file(what: str) -> Callable[[F], F]:
    """The option -o of a command that writes one file, checked before the work begins."""
    return click.option(
        "-o", "--output", type=PATH, required=True, help=what, callback=_checked(files.to_write)
    )


def output_folder(what: str, default: Path | None = None) -> Callable[[F], F]:
    """The option -o of a command that writes several files into a folder."""
    asked = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option(
        "-o", "--output", type=PATH, help=what, callback=_checked(files.to_fill), **asked
    )


def _checked(check: Callable[[Path], Path]) -> Callable[[object, object, Path], Path]:
    def callback(_context: object, _parameter: object, path: Path) -> Path:
        return check(path)

    return callback
