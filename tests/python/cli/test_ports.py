"""tinyflash ports, with the ports of a computer that has boards."""

from __future__ import annotations

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo
from tests.support.commands import tinyflash


def port(device: str, what: str = "", usb: tuple[int, int] | None = None) -> ListPortInfo:
    found = ListPortInfo(device)
    found.description = what or "n/a"
    found.vid, found.pid = usb or (None, None)
    return found


def test_boards_are_guessed_by_usb_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        port("/dev/ttyS0"),
        port("/dev/ttyACM1", "ST-LINK", (0x0483, 0x374B)),
        port("/dev/ttyACM0", "J-Link", (0x1366, 0x1015)),
        port("/dev/ttyUSB0", "a radio", (0x1A86, 0x7523)),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    text = tinyflash("ports").output
    lines = [line for line in text.splitlines() if "/dev/" in line]
    assert [line.split()[0] for line in lines] == [
        "/dev/ttyACM0",
        "/dev/ttyACM1",
        "/dev/ttyUSB0",
        "/dev/ttyS0",
    ]
    assert "nrf52840_dk" in lines[0]
    assert "stm32f446_nucleo, stm32f746_discovery" in text
    assert lines[2].split() == ["/dev/ttyUSB0", "1a86:7523", "a", "radio"]


def test_no_port_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    done = tinyflash("ports")
    assert done.exit_code == 0
    assert "no serial port; plug in a board" in done.output
