"""Serial ports: opens one by its name, and says in one line why it cannot."""

from __future__ import annotations

import errno
import os
import re
from typing import Protocol

import serial

from tinyflash.errors import LinkError, shortened
from tinyflash.runtime.device.rate import BASE, LineRate

_POLL_S = 0.05  # the longest wait in one read
_STUCK_S = 10.0  # for the line to take a frame
_SOCKET = re.compile(r"socket://(?:[^/:\[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})/?")
_PORTS = range(1 << 16)
_BUSY = "; another program uses it: end that one"
_ADVICE = {
    errno.EAGAIN: _BUSY,
    errno.EBUSY: _BUSY,
    errno.ENOENT: "; tinyflash ports lists those that are there",
    errno.EACCES: "; join the group of serial ports (sudo usermod -aG dialout $USER) and log in "
    "again, or allow every user by a file /etc/udev/rules.d/60-serial.rules with the line "
    'SUBSYSTEM=="tty", MODE="0666"',
}


class Port(Protocol):
    """The part of pyserial that a Link needs. Its errors are an OSError."""

    def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> object: ...

    def close(self) -> None: ...

    @property
    def in_waiting(self) -> int: ...


def open_port(url: str) -> Port:
    """Opens a serial port by name ("/dev/ttyACM0") or URL ("socket://host:port")."""
    socket = _SOCKET.fullmatch(url)
    if url.startswith("socket://") and not (socket and int(socket[1]) in _PORTS):
        raise LinkError(f"{_shown(url)} cannot be opened: write it as socket://host:port")
    try:
        port: Port = serial.serial_for_url(
            url,
            baudrate=BASE,
            timeout=_POLL_S,
            write_timeout=_STUCK_S,
            exclusive=None if socket or os.name == "nt" else True,  # Windows has no other way
        )
    except Exception as error:  # pyserial lets many kinds through, such as termios.error
        raise LinkError(f"{_shown(url)} cannot be opened: {_reason(error)}") from error
    return port


def rate_of(port: Port) -> LineRate:
    """Returns the rate of an open port; of a socket there is none."""
    return LineRate(port if isinstance(port, serial.Serial) else None)


def why_lost(error: OSError) -> str:
    """Returns why an open port failed, and what to do. pyserial's own words are guesses."""
    if isinstance(error, serial.SerialTimeoutException):
        return (
            f"the serial line took nothing for {_STUCK_S:.0f} s; unplug the board, and repeat this"
        )
    return (
        "the serial line is gone: the board was unplugged, or the other end closed the line; "
        "connect it again (tinyflash ports lists what is there), and repeat"
    )


def _shown(url: str) -> str:
    return shortened("".join(c for c in url if c.isprintable()))


def _reason(error: Exception) -> str:
    """Returns the operating system's words, if it said no, and what to do."""
    for cause in (error, error.__context__):
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno) + _ADVICE.get(cause.errno, "")
    text = str(error)
    return "it is not a serial port" if text.startswith("Could not configure port") else text
