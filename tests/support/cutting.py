"""A line between a host and a board that a test cuts and restores."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from typing import Self


class CutLine:
    """Passes bytes between who connects to `url` and the board. A context manager.

    cut(): both ends lose the line, and what is on it is gone; restore(): who connects again gets
    through.
    """

    def __init__(self, board: str) -> None:
        found = re.fullmatch(r"socket://(.+):(\d+)", board)
        assert found
        self._board = (found[1], int(found[2]))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._whole, self._ended = threading.Event(), threading.Event()
        self._whole.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._server.close()

    def cut(self) -> None:
        self._whole.clear()

    def restore(self) -> None:
        self._whole.set()

    def _serve(self) -> None:
        self._server.settimeout(0.01)
        while not self._ended.is_set():
            with suppress(TimeoutError, OSError):
                client, _ = self._server.accept()
                with client:
                    if self._whole.is_set():
                        with socket.create_connection(self._board) as board:
                            self._pass(client, board)

    def _pass(self, client: socket.socket, board: socket.socket) -> None:
        other = {client: board, board: client}
        for end in other:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self._whole.is_set() and not self._ended.is_set():
            ready, _, _ = select.select([client, board], [], [], 0.005)
            for one in ready:
                data = one.recv(4096)
                if not data:
                    return
                other[one].sendall(data)
