"""tinyflash save, restore: what a board has learned, in its own flash."""

from __future__ import annotations

import click

from tinyflash.cli import options
from tinyflash.runtime.store import Stored, StoreReport
from tinyflash.training.open import Running

_SAYS = {
    Stored.NOTHING: "nothing was saved; the board has its compiled weights",
    Stored.LEARNED: "the board has what it saved last",
    Stored.FACTORY: "what was saved is void; the board has its compiled weights",
}


@click.command(cls=options.Command)
@options.running(required=True)
def save(running: Running) -> None:
    """Save what a board has learned, in its flash.

    It survives a power cut, and the board has it again after its next start. A power cut during the
    save leaves what was saved before.
    """
    with running.open() as device:
        report = device.save()
    click.echo(f"saved, as {_record(report)}")


@click.command(cls=options.Command)
@options.running(required=True)
@click.option(
    "--factory",
    is_flag=True,
    help="Erase what was saved, and go back to the compiled weights.",
)
def restore(running: Running, factory: bool) -> None:
    """Restore what a board has saved last, as its start does."""
    with running.open() as device:
        report = device.factory() if factory else device.load()
    click.echo(f"{_SAYS[report.stored]} ({_record(report)})")


def _record(report: StoreReport) -> str:
    return f"record {report.number:,} in {report.slots} slots"
