"""tinyflash data export: a set for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tinyflash.cli import options
from tinyflash.cli.completing import PART
from tinyflash.cli.features_option import features as features_option
from tinyflash.data.dataset import Dataset
from tinyflash.data.export import write_csvs, write_windows
from tinyflash.data.features import make_features, settings_for
from tinyflash.data.opened import opened
from tinyflash.data.windows import cut
from tinyflash.errors import DataError
from tinyflash.files import to_fill, to_write
from tinyflash.show.console import say
from tinyflash.show.words import counted
from tinyflash.spectrogram import RAW


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@click.option("--part", type=PART, help="Only this part of the split.")
@click.option(
    "--window", type=click.IntRange(1), help="Of an .npz: frames in a sample. Default: 1."
)
@click.option(
    "--hop",
    type=click.IntRange(1),
    help="Of an .npz: frames from one sample to the next. Default: half a window.",
)
@features_option()
@options.as_json
@click.option(
    "-o",
    "--out",
    "to",
    type=options.PATH,
    required=True,
    help="An .npz file for windows, or a folder for CSV files.",
)
def export(
    folder: Path,
    part: str | None,
    window: int | None,
    hop: int | None,
    front_end: str,
    as_json: bool,
    to: Path,
) -> None:
    """Export a data set: as windows in an .npz file, or each recording as a CSV file.

    The .npz file has x, y, classes, and of each window its recording and first frame. With
    --features, frames are those of a spectrogram of the samples.
    """
    with featured(opened(folder), front_end) as dataset:
        recordings = dataset.part(part)
        if to.suffix.lower() == ".npz":
            path, length = to_write(to), window or 1
            windows = cut(dataset, recordings, length, hop or max(1, length // 2))
            write_windows(path, dataset, windows, [one.name for one in recordings])
            _tell(as_json, path, [path], windows=len(windows.y), window=length)
            return
        if window or hop:
            raise DataError(
                f"--window and --hop are for an .npz file; {to} would be a folder of CSV"
            )
        names = [f"{one.name}.csv" for one in recordings]
        _tell(as_json, to, write_csvs(to_fill(to, names), dataset, recordings))


@contextmanager
def featured(dataset: Dataset, front_end: str) -> Iterator[Dataset]:
    """Yields the set, or one of its features for as long as the command runs."""
    if front_end == RAW:
        yield dataset
        return
    settings = settings_for(dataset, front_end)
    with TemporaryDirectory(prefix="tinyflash-") as folder:
        yield make_features(dataset, settings, Path(folder))


def _tell(as_json: bool, to: Path, files: list[Path], **counts: int) -> None:
    if as_json:
        click.echo(json.dumps({"output": str(to), "files": len(files), **counts}, indent=2))
    elif counts:
        window = counted(counts["window"], "frame")
        say(f"wrote {to}: {counted(counts['windows'], 'window')} of {window}")
    else:
        say(f"wrote {counted(len(files), 'file')} to {to}")
