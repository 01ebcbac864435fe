"""tinyflash save, restore: what a board has learned, in its own flash."""

from __future__ import annotations

import json

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
@options.as_json
def save(running: Running, as_json: bool) -> None:
    """Save what a board has learned, in its flash.

    It survives a power cut, and the board has it again after its next start. A power cut during the
    save leaves what was saved before.
    """
    with running.open() as device:
        report = device.save()
    _tell(as_json, f"saved, as {_record(report)}", report)


@click.command(cls=options.Command)
@options.running(required=True)
@click.option(
    "--factory",
    is_flag=True,
    help="Erase what was saved, and go back to the compiled weights.",
)
@options.as_json
def restore(running: Running, factory: bool, as_json: bool) -> None:
    """Restore what a board has saved last, as its start does."""
    with running.open() as device:
        report = device.factory() if factory else device.load()
    _tell(as_json, f"{_SAYS[report.stored]} ({_record(report)})", report)


def _tell(as_json: bool, text: str, report: StoreReport) -> None:
    has = {"number": report.number, "stored": report.stored.name.lower(), "slots": report.slots}
    click.echo(json.dumps(has, indent=2) if as_json else text)


def _record(report: StoreReport) -> str:
    return f"record {report.number:,} in {report.slots} slots"
