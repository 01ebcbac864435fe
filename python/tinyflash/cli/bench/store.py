"""tinyflash bench store: cuts the power at every word of a save."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.errors import InternalError
from tinyflash.files import write_json
from tinyflash.show.console import counting, output, say, table

_SEQUENCES = 2000
_FOUND = ("old", "new", "neither")


@click.command(cls=options.Command)
@click.option(
    "--sequences", type=click.IntRange(0), default=_SEQUENCES, show_default=True,
    help="Random sequences of save, cut, load for each flash.",
)  # fmt: skip
@options.seed
@click.option("--json", "json_path", type=options.OUTPUT, help="Write the counts to this file.")
def store(sequences: int, seed: int, json_path: Path | None) -> None:
    """Cut the power at every word of a save of learned weights.

    Runs the C library's store on a simulated flash, from every state that its slots may have, with
    torn writes and stuck bits. After each cut the device starts again; what it then has is either
    the old or the new state, whole. The command fails if it ever is neither. Takes minutes.
    """
    from tinyflash.bench.store.cuts import Counts
    from tinyflash.bench.store.run import TRIALS, parts

    rows = table("Starts after a fault", "flash", "what", *(f">{n}" for n in ("cuts", *_FOUND)))
    total = Counts()
    for trial in TRIALS:
        for part in parts(trial, sequences, seed):
            with counting(f"{trial.name}, {part.what}", part.steps) as listen:
                counts = part.run(listen)
            numbers = (f"{number:,}" for number in asdict(counts).values())
            rows.add_row(trial.name, part.what, *numbers)
            total += counts
    output().print(rows)
    if json_path is not None:
        write_json(json_path, asdict(total))
        say(f"wrote {json_path}")
    if total.neither:
        raise InternalError(
            f"{total.neither:,} starts had neither the old nor the new state; this is a bug in "
            "tinyflash; report it"
        )
