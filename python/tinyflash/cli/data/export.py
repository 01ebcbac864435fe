"""tinyflash data export: a set for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.data.export import write_csvs, write_windows
from tinyflash.data.opened import opened
from tinyflash.data.windows import cut
from tinyflash.errors import DataError
from tinyflash.files import to_fill, to_write
from tinyflash.show.console import say
from tinyflash.show.words import counted


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@click.option("--part", help="Only this part of the split.")
@click.option(
    "--window", type=click.IntRange(1), help="Of an .npz: frames in a sample. Default: 1."
)
@click.option(
    "--hop",
    type=click.IntRange(1),
    help="Of an .npz: frames from one sample to the next. Default: half a window.",
)
@click.option(
    "-o",
    "--out",
    "to",
    type=options.PATH,
    required=True,
    help="An .npz file for windows, or a folder for CSV files.",
)
def export(folder: Path, part: str | None, window: int | None, hop: int | None, to: Path) -> None:
    """Export a data set: as windows in an .npz file, or each recording as a CSV file.

    The .npz file has x, y, classes, and of each window its recording and first frame.
    """
    dataset = opened(folder)
    recordings = dataset.part(part)
    if to.suffix.lower() == ".npz":
        path, length = to_write(to), window or 1
        windows = cut(dataset, recordings, length, hop or max(1, length // 2))
        write_windows(path, dataset, windows, [one.name for one in recordings])
        say(f"wrote {path}: {counted(len(windows.y), 'window')} of {counted(length, 'frame')}")
        return
    if window or hop:
        raise DataError(f"--window and --hop are for an .npz file; {to} would be a folder of CSV")
    names = [f"{one.name}.csv" for one in recordings]
    written = write_csvs(to_fill(to, names), dataset, recordings)
    say(f"wrote {counted(len(written), 'file')} to {to}")
