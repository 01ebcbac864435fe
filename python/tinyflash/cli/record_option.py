"""The option --json of train: the record of a run for programs, in a file or on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import click

from tinyflash.cli.options import Output
from tinyflash.files import write_bytes
from tinyflash.training.job import learned_is_in

STDOUT = Path("-")
# what a run writes into its folder; the second one if it only judges (--normal 0)
TRAINING, JUDGED = "training.json", "judged.json"


class _Output(Output):
    """A file to write, or '-'."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return STDOUT if str(value) == "-" else super().convert(value, param, ctx)


record = click.option(
    "--json", "json_path", type=_Output(), is_flag=False, flag_value="-", metavar="[FILE]",
    help=f"Write what {TRAINING} has to this file, too, also if the run was interrupted. Without a "
    "file: print it, and nothing else, on standard output.",
)  # fmt: skip


@contextmanager
def recorded(path: Path | None, folder: Path) -> Iterator[None]:
    """Gives programs the record that a run has written into its folder, also if it was interrupted.
    What people read is on standard error meanwhile, if the record is on standard output."""
    if path is None:
        yield
        return
    before = {name: _stamp(folder / name) for name in (TRAINING, JUDGED)}
    try:
        with redirect_stdout(sys.stderr) if path == STDOUT else nullcontext():
            yield
    finally:
        for name, stamp in before.items():
            if _stamp(folder / name) not in (None, stamp):
                _give((folder / name).read_bytes(), path, folder)


def _give(content: bytes, path: Path, folder: Path) -> None:
    if path == STDOUT:
        click.echo(content, nl=False)
    else:
        with learned_is_in(folder / "learned.npz"):
            write_bytes(path, content)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
