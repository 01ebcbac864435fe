"""Firmware of this computer behind a serial port: a pseudo-terminal, or a TCP socket."""

from __future__ import annotations

import os
import socket
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.pipes import PipePort
from tests.support.rates import RatedPort

_SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit()
}


@contextmanager
def on_a_terminal(program: Path) -> Iterator[str]:
    """The name of a port such as /dev/pts/3, behind which `program` runs."""
    master, slave = os.openpty()
    tty.setraw(slave)
    with _pumped(
        PipePort(program), lambda: os.read(master, 4096), lambda data: os.write(master, data)
    ):
        yield os.ttyname(slave)
    for end in (master, slave):
        os.close(end)


@contextmanager
def on_a_rated_terminal(program: Path, carries: int = 1 << 31) -> Iterator[tuple[str, RatedPort]]:
    """The same for firmware whose line has a rate (tests/support/rates.py): the terminal's."""
    master, slave = os.openpty()
    tty.setraw(slave)
    port = RatedPort(program, carries=carries)

    def take() -> bytes:
        data = os.read(master, 4096)
        port.baudrate = _SPEEDS[termios.tcgetattr(slave)[5]]
        return data

    with _pumped(port, take, lambda data: os.write(master, data)):
        yield os.ttyname(slave), port
    for end in (master, slave):
        os.close(end)


@contextmanager
def on_a_socket(program: Path) -> Iterator[str]:
    """The URL of a port, socket://host:port, behind which `program` runs; for one host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines: list[socket.socket] = []
        only_once = threading.Lock()

        def line() -> socket.socket:
            with only_once:
                if not lines:
                    lines.append(server.accept()[0])
                return lines[0]

        with _pumped(
            PipePort(program), lambda: line().recv(4096), lambda data: line().sendall(data)
        ):
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        for open_line in lines:
            open_line.close()


@contextmanager
def _pumped(
    port: PipePort, take: Callable[[], bytes], give: Callable[[bytes], object]
) -> Iterator[None]:
    """Carries bytes between firmware and a line until the block ends."""

    def inward() -> None:
        with suppress(OSError):
            while data := take():
                port.write(data)

    def outward() -> None:
        with suppress(OSError, ValueError):
            while port.process.poll() is None:
                give(port.read(4096))

    for pump in (inward, outward):
        threading.Thread(target=pump, daemon=True).start()
    try:
        yield
    finally:
        port.process.kill()
        port.process.communicate()
