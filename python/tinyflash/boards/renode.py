"""Runs a board in Renode, if its folder has a platform: renode.resc and what that includes."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path
from typing import Self

from tinyflash.boards.description import Board
from tinyflash.boards.emulation import Emulation
from tinyflash.errors import BoardError

RENODE = "renode"
SCRIPT = "renode.resc"
_START_S = 120.0  # for the port to open; the first start of Renode takes longest


class Renode(Emulation):
    """Renode as a context manager: runs inside the block, killed at its end.

    What the board saves is lost with it. Its port is open to the network, as Renode opens it.
    """

    def __init__(self, board: Board, elf: Path) -> None:
        super().__init__(board, elf)
        self._script = board.folder / SCRIPT
        if not self._script.is_file():
            raise BoardError(f"board {board.name} has no {SCRIPT} for Renode")
        if shutil.which(RENODE) is None:
            raise BoardError("Renode is missing; install it from renode.io, so that renode starts")
        self._check_image()

    def __enter__(self) -> Self:
        port = _free_port()
        names = f"$elf=@{_escaped(self.elf)}; $port={port}; include @{_escaped(self._script)}"
        quiet = ["--disable-gui", "--plain", "--port", "-1"]
        self._start([RENODE, *quiet, "-e", names], port)
        try:
            self._wait_for(port)
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_for(self, port: int) -> None:
        """Returns when the port is open. The bytes that come before the link are not missed: the
        link begins with a question that it repeats."""
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if (reason := self.why_dead()) is not None:
                raise BoardError(reason)
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
                return
            except OSError:
                time.sleep(0.1)
        raise BoardError(f"Renode opened no port in {_START_S:.0f} s")


def _free_port() -> int:
    """Renode inherits no socket, so another process could take the port in between."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _escaped(path: Path) -> str:
    """A path as Renode's monitor reads it after @."""
    return str(path.absolute()).replace(" ", "\\ ")
