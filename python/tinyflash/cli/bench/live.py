"""tinyflash bench live: what a replay buffer is worth."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say


@click.command(cls=options.Command)
@click.option("--quick", is_flag=True, help="One wearer, one seed.")
@options.json_rows
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one per core",
)
def live(quick: bool, json_path: Path | None, processes: int) -> None:
    """Learn new wearers live, with and without a replay buffer.

    Prints the prequential accuracy on each new wearer, and what is forgotten of the old ones, over
    six wearers and five seeds.
    """
    from tinyflash.bench.live.run import run, tasks
    from tinyflash.bench.live.tables import as_json, curves, results

    todo = tasks(quick)
    with noting("live", len(todo)) as listen:
        cells = run(todo, processes, listen)
    output().print(results(cells))
    output().print(curves(cells))
    if json_path is not None:
        write_json(json_path, as_json(cells))
        say(f"wrote {json_path}")
