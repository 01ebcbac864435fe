"""tinyflash bench anomaly: what is normal, learned without labels."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say


@click.command(cls=options.Command)
@click.option("--quick", is_flag=True, help="One person, one seed.")
@options.json_rows
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one per core",
)
def anomaly(quick: bool, json_path: Path | None, processes: int) -> None:
    """Let an anomaly network learn what is normal here, without labels.

    Prints how well MLPerf Tiny's anomaly network tells stairs from walking, by recorded motion,
    before and after it has learned how a person walks.
    """
    from tinyflash.bench.anomaly.run import run, tasks
    from tinyflash.bench.anomaly.tables import as_json, results

    todo = tasks(quick)
    with noting("anomaly", len(todo)) as listen:
        cells = run(todo, processes, listen)
    output().print(results(cells))
    if json_path is not None:
        write_json(json_path, as_json(cells))
        say(f"wrote {json_path}")
