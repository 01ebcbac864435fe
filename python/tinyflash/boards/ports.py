"""The serial ports of this computer, and the boards that may be behind them."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports

from tinyflash.boards.description import boards


@dataclass(frozen=True)
class SerialPort:
    """usb: vendor and product as four hexadecimal digits each, "0483:374b"; "": it is not on USB.
    boards: the names of those whose debugger has this number."""

    device: str
    what: str
    usb: str
    boards: tuple[str, ...]


def serial_ports() -> tuple[SerialPort, ...]:
    """Returns all ports, those on USB first, by name."""
    found = []
    for port in list_ports.comports():
        usb = "" if port.vid is None else f"{port.vid:04x}:{port.pid:04x}"
        names = tuple(board.name for board in boards() if usb in board.usb)
        what = "" if port.description in (None, "n/a") else port.description
        found.append(SerialPort(port.device, what, usb, names))
    return tuple(sorted(found, key=lambda port: (not port.usb, port.device)))
