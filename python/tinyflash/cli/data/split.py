"""tinyflash data split: parts of a set, for training and for judging it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.data import splits, text
from tinyflash.data.dataset import Dataset
from tinyflash.data.lock import changing
from tinyflash.data.opened import opened
from tinyflash.show.console import output, table


@click.command(cls=options.Command)
@click.argument("folder", type=options.PATH)
@click.option("--by", type=click.Choice(splits.BY), required=True, help="What stays together.")
@click.option(
    "--test",
    type=Number(0, 1, max_open=True),
    default=0.25,
    show_default=True,
    help="Share to judge the result by.",
)
@click.option(
    "--validation",
    type=Number(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share to watch the training by.",
)
@options.seed
@options.as_json
def split(folder: Path, by: str, test: float, validation: float, seed: int, as_json: bool) -> None:
    """Split a data set into parts: train, validation, test.

    A recording is never in two of them, nor is a subject, or a session of one, where --by says so.
    """
    shares = {
        splits.TRAIN: 1.0 - test - validation,
        splits.VALIDATION: validation,
        splits.TEST: test,
    }
    if not shares[splits.TRAIN] > 0:
        raise click.BadParameter("--test and --validation leave nothing to train with.")
    wanted = {part: share for part, share in shares.items() if share}
    with changing(folder):
        found = splits.split(opened(folder, mine=True), by, wanted, seed)
        text.save(found)
    parts = {
        part: {
            "recordings": [one.name for one in found.part(part)],
            "frames": sum(one.count for one in found.part(part)),
        }
        for part in found.splits
    }
    if as_json:
        click.echo(json.dumps({"by": by, "seed": seed, "parts": parts}, indent=2))
    else:
        _show(found, by, folder)


def _show(found: Dataset, by: str, folder: Path) -> None:
    rows = table(f"{folder}, split by {by}", "part", ">recordings", ">frames", ">share")
    total = max(sum(one.count for one in found.recordings), 1)
    for part in found.splits:
        there = found.part(part)
        frames = sum(one.count for one in there)
        rows.add_row(part, f"{len(there):,}", f"{frames:,}", f"{100 * frames / total:.1f} %")
    output(markup=False).print(rows)
