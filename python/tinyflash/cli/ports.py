"""tinyflash ports: lists serial ports."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tinyflash.boards.ports import serial_ports
from tinyflash.cli import options
from tinyflash.show.console import output, say, table


@click.command(cls=options.Command)
@options.as_json
def ports(as_json: bool) -> None:
    """List serial ports, and which boards may be behind them."""
    found = serial_ports()
    if as_json:
        click.echo(json.dumps([asdict(port) for port in found], indent=2))
        return
    if not found:
        say("no serial port; plug in a board, or pass --port socket://host:port")
        return
    rows = table("Serial ports", "port", "USB", "may be", "")
    for port in found:
        rows.add_row(port.device, port.usb, ", ".join(port.boards), port.what)
    output().print(rows)
