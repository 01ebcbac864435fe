"""tinyflash ports: lists serial ports."""

from __future__ import annotations

import click

from tinyflash.boards.ports import serial_ports
from tinyflash.cli import options
from tinyflash.show.console import output, say, table


@click.command(cls=options.Command)
def ports() -> None:
    """List serial ports, and which boards may be behind them."""
    found = serial_ports()
    if not found:
        say("no serial port; plug in a board, or pass --port socket://host:port")
        return
    rows = table("Serial ports", "port", "USB", "may be", "")
    for port in found:
        rows.add_row(port.device, port.usb, ", ".join(port.boards), port.what)
    output().print(rows)
