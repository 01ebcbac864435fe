"""Serves one page and its news to browsers on this computer: the only file that knows HTTP.

Python's own http.server is enough: three addresses, no files, no forms, a few browsers of one user.
News go one way, as server-sent events. The other way goes one thing: what a person presses, if the
command takes labels; a browser can steer nothing else. A library would add a package, and 10 to
30 MB, for what is not needed here.

Nobody else gets in. The socket is bound to 127.0.0.1. The name in the Host header must be one of
this computer's, since a page elsewhere can point its own name here (DNS rebinding). The URL has a
token of 128 bits. No answer allows another origin to read it, and no other origin may press: a
browser says where a request to change something comes from, in Origin.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tinyflash.errors import DataError
from tinyflash.show.watch.live import Live, as_json
from tinyflash.show.watch.presses import LONGEST, press_of

HOST = "127.0.0.1"
RATE = 60.0  # updates a second, at most: as often as a screen shows them
CONNECTIONS = 16  # at once
_NAMES = ("127.0.0.1", "localhost", "[::1]")  # the last two of a tunnel's near end
_PATIENCE_S = 10.0  # for a request, and for a browser that reads nothing
_QUIET_S = 5.0  # without news, until a comment shows that the line is alive
_LEAVE_S = 2.0  # for the last news, at the end; a page that is being loaded gets them, too
_BUFFER = 1 << 16  # bytes on the way to a browser; more would be old news
_AGAIN_MS = 1000  # until a browser that has lost the line asks again


class Server:
    """Serves until it is closed. A context manager.

    page: returns the page's HTML; called for each request. port: 0 takes any that is free. Raises
    DataError if the port is in use.
    """

    def __init__(self, live: Live, page: Callable[[], str], port: int = 0) -> None:
        self._token = secrets.token_urlsafe(16)
        try:
            self._server = _Server(live, page, self._token, port)
        except OSError as error:
            raise DataError(
                f"port {port} of {HOST} cannot be used: {error.strerror}; choose another with "
                "--watch-port, or leave it out"
            ) from None
        self.url = f"http://{HOST}:{self._server.server_address[1]}/?token={self._token}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends: browsers get the last news, if they take them at once."""
        self._server.leave()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_LEAVE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Server(ThreadingMixIn, TCPServer):
    """A thread for each connection. They die with the process."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # there it would share the port
    request_queue_size = CONNECTIONS

    def __init__(self, live: Live, page: Callable[[], str], token: str, port: int) -> None:
        self.live, self.page, self.token = live, page, token
        self.leaving = threading.Event()
        self.expected = False  # a page was asked for, and has not asked for news yet
        self._open: dict[Any, bool] = {}  # whether it has shown the token; the oldest first
        self._lock = threading.Lock()
        super().__init__((HOST, port), _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._open) >= CONNECTIONS:
                self._make_room()
            accepted = client_address[0] == HOST and len(self._open) < CONNECTIONS
            if accepted:
                self._open[request] = False
        return accepted

    def _make_room(self) -> None:
        """Ends the oldest connection that has shown no token: programs that ask nothing, or a
        letter at a time, keep no browser out."""
        idle = next((one for one, trusted in self._open.items() if not trusted), None)
        if idle is not None:
            del self._open[idle]
            with suppress(OSError):
                idle.shutdown(socket.SHUT_RDWR)

    def trust(self, request: Any) -> None:
        """A connection has shown the token."""
        with self._lock:
            if request in self._open:
                self._open[request] = True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no news for the terminal."""

    def leave(self) -> None:
        """Asks the streams to end, and waits a moment until they have."""
        self.leaving.set()
        end = time.monotonic() + _LEAVE_S
        while (self._open or self.expected) and time.monotonic() < end:
            time.sleep(0.01)
        with self._lock:
            late = list(self._open)
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request. Whoever is not trusted learns nothing but that."""

    server: _Server
    server_version, sys_version = "tinyflash", ""
    error_message_format, error_content_type = "%(code)d %(message)s\n", "text/plain"
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._is_trusted(parse_qs(parts.query)):
            self._send(HTTPStatus.FORBIDDEN, "open the URL that tinyflash has printed\n")
        elif parts.path == "/":
            self.server.expected = True
            page = self.server.page()
            self._send(HTTPStatus.OK, page, "text/html", policy_of(page))
        elif parts.path == "/events":
            self._stream()
        else:
            self._send(HTTPStatus.NOT_FOUND, "there is nothing here\n")

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        if not (self._is_trusted(parse_qs(parts.query)) and self._is_same_origin()):
            self._send(HTTPStatus.FORBIDDEN, "open the URL that tinyflash has printed\n")
        elif parts.path == "/press":
            self._send(*self._press())
        else:
            self._send(HTTPStatus.NOT_FOUND, "there is nothing here\n")

    def _press(self) -> tuple[HTTPStatus, str]:
        """Returns what became of a press."""
        presses, length = self.server.live.presses, self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length):
            return HTTPStatus.LENGTH_REQUIRED, "a Content-Length is missing\n"
        if int(length) > LONGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{LONGEST} bytes at most\n"
        press = press_of(self.rfile.read(int(length)))
        if not presses.classes:
            return HTTPStatus.CONFLICT, "this run takes no labels\n"
        if press is None or not presses.knows(press):
            return HTTPStatus.BAD_REQUEST, "neither a label nor an answer\n"
        if not presses.put(press):
            return HTTPStatus.TOO_MANY_REQUESTS, "too many at once\n"
        return HTTPStatus.ACCEPTED, ""

    def _is_same_origin(self) -> bool:
        """Whether this page asks. Programs, which say no origin, need the token only."""
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        mine = f"http://{self.headers.get('Host', '')}"
        return site == "same-origin" and self.headers.get("Origin", mine) == mine

    def _is_trusted(self, query: dict[str, list[str]]) -> bool:
        host = re.sub(r":\d+$", "", self.headers.get("Host", ""))
        token = query.get("token", [""])[0]
        is_right = hmac.compare_digest(token.encode(), self.server.token.encode())
        if is_trusted := host.lower() in _NAMES and is_right:
            self.server.trust(self.request)
        return is_trusted

    def _send(
        self, status: HTTPStatus, text: str, kind: str = "text/plain", policy: str = ""
    ) -> None:
        content = text.encode()
        self._head(status, kind, policy)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, policy: str = "") -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", policy or "default-src 'none'")
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)

    def _stream(self) -> None:
        """Sends the newest news, RATE times a second at most. What a slow browser has missed is
        replaced by what is newer."""
        self.server.expected = False
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._head(HTTPStatus.OK, "text/event-stream")
        self.end_headers()
        self.wfile.write(f"retry: {_AGAIN_MS}\n\n".encode())
        live, version, due = self.server.live, 0, time.monotonic()
        while True:
            leaving, quiet = self.server.leaving.is_set() or live.ended, False
            now, sections = live.since(version)
            if sections:
                self._tell(now, sections)
                version = now
            if leaving:
                return
            due = max(due + 1 / RATE, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            quiet = not self._wait(version)
            if quiet:
                self.wfile.write(b":\n\n")

    def _wait(self, version: int) -> bool:
        """Waits for news, or the end. Returns False if nothing has come for a while."""
        end = time.monotonic() + _QUIET_S
        while time.monotonic() < end:
            if self.server.live.wait(version, 0.25) or self.server.leaving.is_set():
                return True
        return False

    def _tell(self, version: int, sections: dict[str, Any]) -> None:
        self.wfile.write(f"id: {version}\ndata: {as_json(sections)}\n\n".encode())

    def log_message(self, *_args: Any) -> None:
        """Prints nothing: the terminal is the command's."""


def policy_of(page: str) -> str:
    """Returns the content security policy of a page: only its own scripts, by their digests; its
    styles; and news from where it came from."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
