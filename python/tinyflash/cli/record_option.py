"""The option --json of train: the record of a run for programs, in a file or on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import click

from tinyflash.boards.emulator import FLASH, SENSOR
from tinyflash.cli.options import Output
from tinyflash.errors import DataError
from tinyflash.files import is_same, write_bytes
from tinyflash.show.watch.recorded import NAME as WATCHED
from tinyflash.training.front_end import RECORD
from tinyflash.training.job import WRITTEN, learned_is_in
from tinyflash.training.open import prepared_files

STDOUT = Path("-")
JUDGED = "judged.json"  # what a run writes into its folder if it only judges (--normal 0)


class _Output(Output):
    """A file to write, or '-'."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return STDOUT if str(value) == "-" else super().convert(value, param, ctx)


record = click.option(
    "--json", "json_path", type=_Output(), is_flag=False, flag_value="-", metavar="[FILE]",
    help=f"Write what {RECORD} has to this file, too, also if the run was interrupted. Without a "
    "file: print it, and nothing else, on standard output.",
)  # fmt: skip


@contextmanager
def recorded(path: Path | None, folder: Path) -> Iterator[None]:
    """Gives programs the record that a run has written into its folder, also if it was interrupted.
    What people read is on standard error meanwhile, if the record is on standard output."""
    if path is None:
        yield
        return
    _check_free(path, folder)
    before = {name: _stamp(folder / name) for name in (RECORD, JUDGED)}
    try:
        with redirect_stdout(sys.stderr) if path == STDOUT else nullcontext():
            yield
    finally:
        for name, stamp in before.items():
            if _stamp(folder / name) not in (None, stamp):
                _give((folder / name).read_bytes(), path, folder)


def _check_free(path: Path, folder: Path) -> None:
    """Raises DataError for a file of the run itself: the record would take the place of what was
    learned, or of the record of an earlier run."""
    mine = (*WRITTEN, JUDGED, *prepared_files(folder), "scheme.toml", FLASH, SENSOR, WATCHED)
    if path != STDOUT and any(is_same(path, folder / name) for name in mine):
        raise DataError(f"{path} is written by the run itself; choose another file name for --json")


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
