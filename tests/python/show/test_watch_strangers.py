"""Who is no browser of the user's: programs that ask slowly, and pages from elsewhere."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.support.browser import CHROMIUM, Browser

from tinyflash.show.watch.live import Live
from tinyflash.show.watch.presses import Press
from tinyflash.show.watch.server import CONNECTIONS, Server

PRESS = '{"label":1,"asked":0}'


@pytest.fixture(name="live")
def _live() -> Live:
    live = Live()
    live.presses.classes = 3
    return live


@pytest.fixture(name="server")
def _server(live: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("tinyflash.show.watch.server._LEAVE_S", 0.2)
    with Server(live, lambda: "<p>secret</p>") as server:
        yield server


def test_programs_that_ask_slowly_keep_no_browser_out(server: Server) -> None:
    found = re.match(r"http://(.*):(\d+)(/.*)", server.url)
    assert found is not None
    place = (found[1], int(found[2]))
    with ExitStack() as slow:
        for _ in range(3 * CONNECTIONS):
            one = slow.enter_context(socket.create_connection(place, 10))
            one.sendall(b"GET / HTTP/1.1\r\nX: ")
        with socket.create_connection(place, 10) as mine:
            mine.sendall(f"GET {found[3]} HTTP/1.1\r\nHost: {found[1]}\r\n\r\n".encode())
            assert b"200 OK" in mine.recv(1000)


class _Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>elsewhere</p>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


# Every way in which a page reaches another place, even if it knows the token. `found`: what worked.
STRANGER = """(() => {
  const [base, query, body] = %s;
  window.found = []; window.left = 9;
  const ended = name => { if (name) found.push(name); left--; };
  const ask = (name, path, how) => fetch(base + path + query, how).then(
    answer => answer.text().then(text => ended(text || answer.type === "opaque" ? name : "")),
    () => ended(""));
  ask("read", "/"); ask("read blindly", "/", {mode: "no-cors"});
  ask("press", "/press", {method: "POST", body});
  ask("press blindly", "/press", {method: "POST", mode: "no-cors", body});
  ask("press by PUT", "/press", {method: "PUT", body});
  navigator.sendBeacon(base + "/press" + query, body);
  const news = new EventSource(base + "/events" + query);
  news.onmessage = () => ended("news");
  news.onerror = () => { news.close(); ended(""); };
  const inside = (tag, path, set) => {
    const made = document.createElement(tag);
    made.onload = () => ended(tag === "iframe" && !made.contentDocument ? "" : tag);
    made.onerror = () => ended("");
    made.src = base + path + query;
    document.body.append(made);
    return made;
  };
  inside("script", "/events"); inside("img", "/"); inside("iframe", "/");
  const form = document.createElement("form");
  form.method = "POST"; form.enctype = "text/plain"; form.target = "sent";
  form.action = base + "/press" + query;
  const field = document.createElement("input");
  field.name = '{"label":1,"x":"'; field.value = '"}';
  const frame = document.createElement("iframe"); frame.name = "sent";
  form.append(field); document.body.append(frame, form); form.submit();
})()"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_page_from_elsewhere_reads_and_presses_nothing(
    server: Server, live: Live, tmp_path: Path
) -> None:
    base, query = server.url.split("/?")
    elsewhere = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    with Browser(tmp_path, 800) as browser:
        for name in ("127.0.0.1", "localhost"):
            browser.open(f"http://{name}:{elsewhere.server_port}/")
            browser.wait('document.body.innerText === "elsewhere"')
            browser.value(STRANGER % json.dumps([base, f"?{query}", PRESS]))
            browser.wait("left === 0")
            time.sleep(0.3)  # for the beacon and the form, whose end nobody hears
            assert browser.value("found") == []
            assert live.presses.take() == []
        browser.open(server.url)  # the page itself does both
        browser.wait('document.body.innerText === "secret"')
        ask = f"fetch('/press?{query}', {{method: 'POST', body: '{PRESS}'}})"
        browser.value(f"{ask}.then(answer => window.status = answer.status)")
        assert browser.wait("window.status") == "202"
        assert live.presses.take() == [Press(1, None, 0)]
    elsewhere.shutdown()
    elsewhere.server_close()
