"""tinyflash save, restore: what a board has learned, in its own flash."""

from __future__ import annotations

import click

from tinyflash.cli import options
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.store import Stored, StoreReport

_SAYS = {
    Stored.NOTHING: "nothing was saved; the board has its compiled weights",
    Stored.LEARNED: "the board has what it saved last",
    Stored.FACTORY: "what was saved is void; the board has its compiled weights",
}


@click.command(cls=options.Command)
@options.board_port
@options.pairing_key
def save(port: str, pairing_key: bytes | None) -> None:
    """Save what a board has learned, in its flash.

    It survives a power cut, and the board has it again after its next start. A power cut during the
    save leaves what was saved before.
    """
    with DeviceSession(port, None, pairing_key) as device:
        report = device.save()
    click.echo(f"saved, as {_record(report)}")


@click.command(cls=options.Command)
@options.board_port
@options.pairing_key
@click.option(
    "--factory",
    is_flag=True,
    help="Erase what was saved, and go back to the compiled weights.",
)
def restore(port: str, pairing_key: bytes | None, factory: bool) -> None:
    """Restore what a board has saved last, as its start does."""
    with DeviceSession(port, None, pairing_key) as device:
        report = device.factory() if factory else device.load()
    click.echo(f"{_SAYS[report.stored]} ({_record(report)})")


def _record(report: StoreReport) -> str:
    return f"record {report.number:,} in {report.slots} slots"
