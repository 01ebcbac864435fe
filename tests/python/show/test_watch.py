"""Watching a command: bounded news, nobody else gets in, nobody slows it, and what a page shows."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.browser import CHROMIUM, Browser
from tests.support.learner import SCHEME, learner_graph

from tinyflash.compiler import compile_model
from tinyflash.errors import DataError
from tinyflash.show import report
from tinyflash.show.watch import live as lives
from tinyflash.show.watch.curve import MOST, Curve
from tinyflash.show.watch.live import FRAMES, SCORES, Live, as_json
from tinyflash.show.watch.observer import About, Gradients, Layer, Score, Signal, Teaching
from tinyflash.show.watch.page import as_html
from tinyflash.show.watch.presses import LONGEST, Press
from tinyflash.show.watch.presses import MOST as MOST_PRESSES
from tinyflash.show.watch.recorded import NAME, Recorded
from tinyflash.show.watch.server import CONNECTIONS, Server
from tinyflash.show.watch.watched import Wanted, Watched, watched

UPDATES = 50  # a second, at least


@dataclass(frozen=True)
class Step:
    number: int
    of: int = 1000
    loss: float = 1.0
    correct: bool | None = True


def tell_all(live: Live, done: int = 40) -> None:
    """News of every kind."""
    live.begin(
        About("train", "model.tflite", "qemu_stm32f405", "0badcafe", ("sit", "<b>walk", "run"))
    )
    for number in range(done):
        live.step(Step(number, 200, 2.0 / (number + 1), number % 3 > 0))
    live.score(Score(0, 33.3, samples=9, confusion=[[1, 1, 1], [3, 0, 0], [0, 0, 3]]))
    live.score(Score(done, 88.8, samples=9, confusion=[[3, 0, 0], [1, 2, 0], [0, 0, 3]]))
    live.layers(done, [Layer("conv_1", 1.5, 0.0, 90), Layer("dense_2", 3.0, 0.25, 27)])
    live.gradients(Gradients(done, ("logits", "d_conv"), (-9, -14), 12.5, 0.0, 0.0))
    numbers = (100 * np.sin(np.arange(384) / 9)).astype(np.int16).reshape(128, 3)
    live.signal(Signal(numbers, ("ax", "ay", "az"), 50.0, 0.01, 0.0, "g", "One window."))
    live.probabilities((0.1, 0.7, 0.2), "Of this window.", 1)
    live.counters({"commands sent again": 3, "updates skipped": 0})
    live.teaching(Teaching((4, 0, 1), "A button.", "learned run, loss 0.10 before"))


# ---- What is kept --------------------------------------------------------------------------------


def test_a_curve_is_bounded_and_ends_where_the_run_does() -> None:
    curve, losses = Curve(), []
    for done in range(1, 20_001):
        losses.append(done / 7)
        curve.add(done, losses[-1], done % 4 == 0)
    fields = curve.fields()
    steps, means = fields["steps"], fields["loss"]
    assert steps is not None
    assert means is not None
    assert MOST // 2 <= len(steps) <= MOST
    assert len({b - a for a, b in pairwise(steps)}) == 1
    assert 20_000 - steps[-1] < steps[1] - steps[0]
    for step, mean in zip(steps, means, strict=True):
        assert mean == pytest.approx(np.mean(losses[int(step) - 25 : int(step)]), rel=1e-4)
    assert fields["accuracy"] == pytest.approx([25.0] * len(steps), abs=4)


def test_everything_that_is_kept_is_bounded() -> None:
    live = Live()
    for done in range(5 * SCORES):
        live.score(Score(done, 1.0))
    for first in range(0, 20 * FRAMES, 7):
        live.frames(Signal(np.full((7, 2), first % 1000, np.int16)))
    points = live.section("scores")["points"]
    assert len(points) <= SCORES + 1
    assert (points[0][0], points[-1][0]) == (0, 5 * SCORES - 1)
    sections = json.loads(as_json(live.since(0)[1]))
    assert sections["signal"]["shape"] == [FRAMES, 2]
    data = np.frombuffer(base64.b64decode(sections["signal"]["data"]), "<i2")
    assert data[-1] == (20 * FRAMES - 1) // 7 * 7 % 1000
    assert len(data) == 2 * FRAMES


def test_news_are_those_after_a_version() -> None:
    live = Live()
    tell_all(live)
    version, everything = live.since(0)
    assert set(everything) == set(lives.SECTIONS)
    assert live.since(version) == (version, {})
    live.counters({"frames": 1})
    assert set(live.since(version)[1]) == {"counters"}
    assert live.section("counters") == {"commands sent again": 3, "updates skipped": 0, "frames": 1}


def test_numbers_that_json_lacks_are_null() -> None:
    live = Live()
    live.step(Step(0, 1, float("nan")))
    live.probabilities((float("nan"), float("inf")), "")
    text = as_json(live.since(0)[1])
    assert json.loads(text)["probabilities"]["values"] == [None, None]
    assert "NaN" not in text


# ---- Who gets in ---------------------------------------------------------------------------------


@pytest.fixture
def live() -> Live:
    live = Live()
    tell_all(live)
    return live


@pytest.fixture
def server(live: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One that waits only a moment for pages that ask for no news, as most tests do."""
    monkeypatch.setattr("tinyflash.show.watch.server._LEAVE_S", 0.2)
    with Server(live, lambda: "<p>secret</p><script>1</script>") as server:
        yield server


def answer(server: Server, request: str, host: str = "127.0.0.1") -> str:
    """All that the server sends to a request, until it closes."""
    port = int(re.findall(r":(\d+)/", server.url)[0])
    with socket.create_connection((host, port), timeout=10) as line:
        line.sendall(request.encode("latin-1"))
        return b"".join(iter(lambda: line.recv(1 << 16), b"")).decode()


def asking(server: Server, path: str = "/", host: str = "127.0.0.1", more: str = "") -> str:
    return f"GET {path}{server.url[server.url.index('?') :]} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "LOCALHOST:8000", "[::1]:9"])
def test_this_computer_gets_the_page(server: Server, host: str) -> None:
    """Under any port, as at the near end of a tunnel."""
    found = answer(server, asking(server, host=host))
    assert found.startswith("HTTP/1.0 200 ")
    assert found.endswith("<p>secret</p><script>1</script>")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil:80",
        "",
        "127.0.0.1@evil",
        "0.0.0.0",
    ],
)
def test_another_name_for_this_computer_does_not(server: Server, host: str) -> None:
    """As a page has that points its own name to 127.0.0.1: DNS rebinding."""
    for path in ("/", "/events"):
        found = answer(server, asking(server, path, host))
        assert found.startswith("HTTP/1.0 403 ")
        assert "secret" not in found
        assert "model.tflite" not in found


def test_without_a_host_or_the_token_nobody_gets_in(server: Server) -> None:
    token = server.url.partition("token=")[2]
    assert len(base64.urlsafe_b64decode(token + "==")) == 16
    for path in ("/", "/events", "/other"):
        for query in (
            "",
            "?token=",
            f"?token={token[:-1]}",
            f"?token={token}x",
            "?token=ä",
            "?x=1",
        ):
            found = answer(server, f"GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert found.startswith("HTTP/1.0 403 ")
    no_host = asking(server).replace("Host: 127.0.0.1\r\n", "")
    assert answer(server, no_host).startswith("HTTP/1.0 403 ")
    with Server(Live(), str) as other:
        assert token not in other.url


def test_nothing_but_get_and_presses(server: Server, live: Live) -> None:
    before = live.since(0)
    for method in ("PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT", "<b>"):
        found = answer(server, asking(server).replace("GET", method, 1))
        assert re.match(r"HTTP/1.0 501 |501 ", found), found
        assert "<b>" not in found.partition("\r\n\r\n")[2].replace("('<b>')", "")
    for path in ("/", "/events", "/other"):
        asked = asking(server, path, more="Content-Length: 0\r\n").replace("GET", "POST", 1)
        assert answer(server, asked).startswith("HTTP/1.0 404 ")
    assert answer(server, asking(server, "/press")).startswith("HTTP/1.0 404 ")
    assert live.since(0) == before


# ---- What is pressed -----------------------------------------------------------------------------

LABEL = '{"label": 2, "asked": 0}'


def pressing(server: Server, body: str = LABEL, host: str = "127.0.0.1", more: str = "") -> str:
    """The status of a press."""
    length = "" if "ength" in more else f"Content-Length: {len(body)}\r\n"
    asked = asking(server, "/press", host, more + length).replace("GET", "POST", 1)
    return answer(server, asked + body).split()[1]


def test_a_press_reaches_the_command_once_and_in_order(server: Server, live: Live) -> None:
    assert pressing(server) == "202"
    assert pressing(server, '{"answer": false, "asked": 7}') == "202"
    assert pressing(server, more="Origin: http://127.0.0.1\r\n") == "202"
    assert pressing(server, host="localhost:9", more="Origin: http://localhost:9\r\n") == "202"
    labels = [Press(2, None, 0)] * 2
    assert live.presses.take() == [labels[0], Press(None, False, 7), *labels]
    assert live.presses.take() == []


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("evil.example", ""),
        ("127.0.0.1", "Origin: http://evil.example\r\n"),
        ("127.0.0.1", "Origin: null\r\n"),
        ("127.0.0.1", "Origin: https://127.0.0.1\r\n"),
        ("127.0.0.1:8000", "Origin: http://127.0.0.1:8001\r\n"),
        ("localhost", "Origin: http://127.0.0.1\r\n"),
        ("127.0.0.1", "Sec-Fetch-Site: cross-site\r\n"),
        ("127.0.0.1", "Sec-Fetch-Site: same-site\r\n"),
    ],
)
def test_no_other_page_presses(server: Server, live: Live, host: str, more: str) -> None:
    """Even if it knows the token."""
    assert pressing(server, host=host, more=more) == "403"
    assert live.presses.take() == []


def test_without_the_token_nobody_presses(server: Server, live: Live) -> None:
    token = server.url.partition("token=")[2]
    for query in ("", "?token=", f"?token={token}x", f"?token={token[1:]}"):
        head = f"POST /press{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(LABEL)}"
        assert answer(server, f"{head}\r\n\r\n{LABEL}").startswith("HTTP/1.0 403 ")
    assert live.presses.take() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", "400"),
        ("label 2", "400"),
        ("[]", "400"),
        ("[" * LONGEST, "400"),
        ('{"label": 3, "asked": 0}', "400"),
        ('{"label": -1, "asked": 0}', "400"),
        ('{"label": 1.0, "asked": 0}', "400"),
        ('{"label": true, "asked": 0}', "400"),
        ('{"label": "1", "asked": 0}', "400"),
        ('{"label": 1}', "400"),
        ('{"asked": 0}', "400"),
        ('{"answer": 1, "asked": 1}', "400"),
        ('{"answer": true, "label": 1, "asked": 1}', "400"),
        ('{"answer": true, "asked": 1, "more": 1}', "400"),
        ('{"label": 1, "asked": 1' + "0" * 40 + "}", "400"),
        (LABEL + " " * LONGEST, "413"),
    ],
)
def test_nonsense_presses_nothing(server: Server, live: Live, body: str, status: str) -> None:
    assert pressing(server, body) == status
    assert live.presses.take() == []


def test_a_press_says_its_length(server: Server) -> None:
    for more in ("Content-Length: -1\r\n", "Content-Length: x\r\n", "No-Length: 0\r\n"):
        assert pressing(server, "", more=more) == "411"


def test_a_flood_of_presses_is_bounded(server: Server, live: Live) -> None:
    found = [pressing(server) for _ in range(MOST_PRESSES + 5)]
    assert found == ["202"] * MOST_PRESSES + ["429"] * 5
    assert len(live.presses.take()) == MOST_PRESSES
    assert pressing(server) == "202"


def test_a_command_that_takes_no_labels_says_so(live: Live, server: Server) -> None:
    live.end("finished")
    with Server(Live(), str) as other:
        assert pressing(other) == "409"


@pytest.mark.parametrize(
    "request_",
    [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "x" * 70_000,
        "GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\n" + "a: b\r\n" * 200 + "\r\n",
    ],
)
def test_nonsense_harms_nobody(server: Server, request_: str, capsys: Any) -> None:
    with suppress(OSError):
        answer(server, request_)
    assert answer(server, asking(server)).startswith("HTTP/1.0 200 ")
    assert capsys.readouterr() == ("", "")


def test_what_a_browser_may_do_with_the_answers(server: Server) -> None:
    head = answer(server, asking(server, more="Origin: http://evil.example\r\n")).partition(
        "\r\n\r\n"
    )[0]
    assert "access-control" not in head.lower()
    policy = re.search(r"Content-Security-Policy: (.*)\r", head)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy[1].replace("style-src 'unsafe-inline'", "")
    for line in ("no-store", "no-referrer", "nosniff", "frame-ancestors 'none'", "same-origin"):
        assert line in head


def test_only_the_loopback_interface_listens(server: Server) -> None:
    """Not even this computer's other addresses reach it."""
    port = server.url.split(":")[2].partition("/")[0]
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    places = re.findall(rf"([0-9A-F]+):{int(port):04X} 0+:0000 0A", listening)
    assert places == ["0100007F"]


def test_a_port_in_use_is_one_line(server: Server) -> None:
    port = int(server.url.split(":")[2].partition("/")[0])
    with pytest.raises(
        DataError, match=f"^port {port} of 127.0.0.1 cannot be used: .*--watch-port"
    ):
        Server(Live(), str, port)


# ---- Nobody slows it -----------------------------------------------------------------------------


@contextmanager
def stream(server: Server, size: int = 0) -> Iterator[socket.socket]:
    """A browser that reads news, or does not. size: of its buffer."""
    port = int(server.url.split(":")[2].partition("/")[0])
    with socket.socket() as line:
        if size:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        line.connect(("127.0.0.1", port))
        line.settimeout(10)
        line.sendall(asking(server, "/events").encode())
        yield line


def news(line: socket.socket) -> Iterator[dict[str, Any]]:
    buffer = b""
    while data := line.recv(1 << 16):
        buffer += data
        *whole, buffer = buffer.split(b"\n\n")
        for one in whole:
            if b"data: " in one:
                yield json.loads(one.partition(b"data: ")[2])


def test_a_browser_that_stalls_costs_nothing_and_then_gets_the_newest(
    live: Live, server: Server
) -> None:
    """News of 10 MB, of which a browser reads none: telling them takes no longer, and what comes at
    last is the newest, with little that is old before it."""
    numbers = np.zeros((400, 40, 1), np.int8)
    with stream(server, 4096) as line:
        slowest = 0.0
        for number in range(500):
            start = time.perf_counter()
            live.signal(Signal(numbers))
            live.step(Step(number, 500))
            slowest = max(slowest, time.perf_counter() - start)
            time.sleep(0.001)
        assert slowest < 0.5  # seconds; a blocked one would wait for 10
        live.end("finished")
        found = list(news(line))
        assert found[-1]["about"]["state"] == "finished"
        assert {**found[-2], **found[-1]}["step"]["done"] == 500
        assert len(found) < 60


def test_no_more_browsers_than_a_few(live: Live, server: Server) -> None:
    lines = [stream(server) for _ in range(CONNECTIONS)]
    opened = [one.__enter__() for one in lines]
    for one in opened:
        assert next(news(one))["about"]["title"] == "model.tflite"
    with pytest.raises(OSError), stream(server) as late:
        assert late.recv(10) == b""
        raise ConnectionError
    for one in lines:
        one.__exit__(None, None, None)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        live.counters({"x": 1})
        time.sleep(0.05)
        with stream(server) as again:
            if again.recv(10):
                return
    pytest.fail("browsers that have gone still count")


def test_the_end_waits_for_no_browser(live: Live) -> None:
    with Server(live, str) as server, stream(server, 4096) as line:
        live.signal(Signal(np.zeros((4000, 400, 1), np.int8)))
        line.recv(1)
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 5
    assert not [one for one in threading.enumerate() if one.name == "watch"]


def test_a_page_that_is_loaded_at_the_end_gets_the_last_news(live: Live) -> None:
    with Server(live, str) as server:
        answer(server, asking(server))
        live.end("finished")
        leaving = threading.Thread(target=server.close)
        leaving.start()
        time.sleep(0.3)
        with stream(server) as line:
            assert next(news(line))["about"]["state"] == "finished"
        leaving.join()


def test_fifty_updates_a_second(live: Live, server: Server) -> None:
    """With a window of six channels in each."""
    over = threading.Event()
    window = np.zeros((512, 6), np.int16)

    def work() -> None:
        number = 0
        while not over.wait(0.002):
            live.step(Step(number, 10**6))
            live.signal(Signal(window + np.int16(number % 100)))
            number += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        best = 0.0
        with stream(server) as line:
            found = news(line)
            next(found)
            for _ in range(8):  # a busy computer may have no time for a second
                start = time.monotonic()
                for _ in range(UPDATES):
                    assert next(found)["step"]["done"]
                best = max(best, UPDATES / (time.monotonic() - start))
                if best >= UPDATES:
                    break
    finally:
        over.set()
        worker.join()
    assert UPDATES <= best <= 66


MEMORY = """
import sys
from tinyflash.cli import main
import tinyflash.cli.train
import tinyflash.show.report.page

assert "http.server" not in sys.modules

def resident():
    text = open("/proc/self/status").read()
    return int(text.partition("VmRSS:")[2].split()[0])

before = resident()
import socket, json, numpy as np
from tinyflash.show.watch.watched import Wanted, watched
from tinyflash.show.watch.observer import About, Signal
report = json.load(open(sys.argv[1]))
loaded = resident()

class Step:
    of, loss, correct = 3000, 1.0, True

with watched(Wanted(True)) as live:
    live.use(report)
    live.begin(About("train", "x"))
    host, port = live.url.split("/")[2].split(":")
    query = live.url.partition("?")[2]
    lines = []
    for path in ("/", "/events", "/events", "/events"):
        line = socket.create_connection((host, int(port)))
        line.sendall(f"GET {path}?{query} HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n".encode())
        lines.append(line)
    while lines[0].recv(1 << 16):
        pass
    for number in range(3000):
        step = Step()
        step.number = number
        live.step(step)
        live.frames(Signal(np.zeros((10, 6), np.int16)))
        if number % 10 == 0:
            [line.recv(1 << 16) for line in lines[1:]]
    most = resident()
print(most - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_watching_takes_less_than_30_mb(tmp_path: Path) -> None:
    """Of a command that has its own modules already: server, page, report, three browsers."""
    made = report.make_report(compile_model(learner_graph(), SCHEME))
    (tmp_path / "report.json").write_text(json.dumps(made))
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 30_000, done.stdout


# ---- The file ------------------------------------------------------------------------------------


def test_what_a_command_told_is_in_its_folder(tmp_path: Path) -> None:
    with watched(Wanted(), tmp_path) as live:
        tell_all(live)
    told = json.loads(as_json(live.since(0)[1]))
    assert told["about"]["state"] == "finished"
    assert json.loads((tmp_path / NAME).read_text()) == told
    again = Watched()
    Recorded(tmp_path).show(again)
    told["teaching"]["takes"] = False  # another process cannot label
    assert json.loads(as_json(again.since(0)[1])) == told


def test_a_command_that_fails_or_is_stopped_says_so(tmp_path: Path) -> None:
    for error, state in ((DataError("x"), "failed"), (KeyboardInterrupt(), "stopped")):
        with pytest.raises(type(error)), watched(Wanted(), tmp_path) as live:
            tell_all(live)
            raise error
        assert json.loads((tmp_path / NAME).read_text())["about"]["state"] == state


def test_a_command_that_has_done_nothing_writes_nothing(tmp_path: Path) -> None:
    with watched(Wanted(), tmp_path) as live:
        live.begin(About("train", "x"))
        live.score(Score(0, 1.0))
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_was_killed_is_silent(tmp_path: Path, monkeypatch: Any) -> None:
    live = Watched()
    tell_all(live)
    (tmp_path / NAME).write_text(as_json(live.since(0)[1]))
    shown, recorded = Watched(), Recorded(tmp_path)
    recorded.show(shown)
    assert shown.section("about")["state"] == "running"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 11)
    recorded.show(shown)
    assert shown.section("about")["state"] == "silent"
    before = shown.since(0)
    recorded.show(shown)
    assert shown.since(0) == before


@pytest.mark.parametrize("text", [None, "", "[]", '{"about": 1}', '{"about": {}}', "[" * 10**5])
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / NAME).write_text(text)
    with pytest.raises(DataError, match=r"watch.json cannot be shown: .*; name the folder"):
        Recorded(tmp_path)


def test_a_file_that_is_damaged_later_changes_nothing(tmp_path: Path) -> None:
    live = Watched()
    tell_all(live)
    (tmp_path / NAME).write_text(as_json(live.since(0)[1]))
    shown, recorded = Watched(), Recorded(tmp_path)
    recorded.show(shown)
    before = as_json({**shown.since(0)[1], "page": 0})
    (tmp_path / NAME).write_text("{")
    recorded.show(shown)
    (tmp_path / NAME).unlink()
    recorded.show(shown)
    assert as_json({**shown.since(0)[1], "page": 0}) == before


def test_the_report_of_another_model_is_not_shown(tmp_path: Path) -> None:
    live = Watched()
    tell_all(live)
    (tmp_path / NAME).write_text(as_json(live.since(0)[1]))
    made = report.make_report(compile_model(learner_graph(), SCHEME))
    for hash_, has in (("0badcafe", True), ("deadbeef", False)):
        (tmp_path / "report.json").write_text(json.dumps({**made, "hash": hash_}))
        shown = Watched()
        Recorded(tmp_path).show(shown)
        assert ('id="memory"' in shown.page()) == has
    shown.use({"fuller": "nonsense"})
    assert 'id="memory"' not in shown.page()


def test_a_report_that_comes_while_the_page_is_made_is_shown_next(
    monkeypatch: Any, made: report.Report
) -> None:
    """A page without it must not stay: browsers would load it again and again."""
    shown = Watched()

    def slowly(given: report.Report | None, version: int) -> str:
        if given is None:
            shown.use(made)
        return as_html(given, version)

    monkeypatch.setattr("tinyflash.show.watch.watched.as_html", slowly)
    assert 'id="memory"' not in shown.page()
    page = shown.page()
    assert 'id="memory"' in page
    assert f'"page": {shown.section("page")}' in page


# ---- The page ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> report.Report:
    return report.make_report(compile_model(learner_graph(), SCHEME))


def test_the_page_names_no_other_place(made: report.Report) -> None:
    for text in (as_html(made, 3), as_html(None)):
        text = text.replace('href="data:,"', "")
        assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|src=|href=", text)


FOUND = """(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const text = (...ids) => ids.map((id) => document.getElementById(id).textContent);
  const words = (row) => [...row.cells].map((cell) => cell.textContent).join(" ");
  const rows = (id) => all(`#${id} tr`).map(words);
  const pen = document.getElementById("signal").getContext("2d");
  const dots = new Uint32Array(pen.getImageData(0, 0, pen.canvas.width, 200).data.buffer);
  const full = (color) => color >>> 24 === 255;
  const written = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const size = (e) => parseFloat(getComputedStyle(e).fontSize);
  return {
    words: text("title", "state", "what", "of", "held", "accuracy"),
    probabilities: rows("probabilities"), confusion: rows("confusion"), layers: rows("layers"),
    gradients: rows("gradients"), counters: rows("counters"),
    channels: all("#channels li").map((c) => c.textContent),
    lines: all("svg.live polyline").length, dots: all("svg.live circle").length,
    colors: new Set(dots.filter(full)).size,
    hidden: all("main [hidden]").length, boxes: all("svg.map .box").length,
    bold: all("td b, th b").length,
    wide: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    small: all("body *").filter((e) => e.offsetParent && written(e) && size(e) < 11).length,
    columns: new Set(all(".signal-row > div").map((d) => d.getBoundingClientRect().x)).size,
  };
})()"""


PRESSED = """(() => {
  const all = [...document.querySelectorAll(".presses button")].filter((b) => b.offsetParent);
  return all.map((b) => [b.textContent, b.disabled, b.offsetHeight >= 44, b.offsetWidth >= 100]);
})()"""
CLICK = "document.querySelectorAll('.presses button')[{}].click()"
TYPE = "dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', repeat: {}}}))"


def press(browser: Browser, live: Live) -> None:
    """Buttons and keys label, and answer a question; each once."""
    fits = [False, True, True]
    labels = [["sit4", *fits], ["<b>walk0", *fits], ["run1", *fits]]
    assert browser.value(PRESSED) == labels
    assert browser.value("document.getElementById('noted').textContent").startswith("learned run")
    browser.value(CLICK.format(1))
    live.teaching(Teaching((4, 0, 1), "A button.", "sit surprises", 3))
    browser.wait("!document.getElementById('question').hidden")
    answers = [["Learn it", *fits], ["Do not", *fits]]
    assert browser.value(PRESSED) == [*labels, *answers]
    for what in (CLICK.format(3), CLICK.format(4), TYPE.format("y", "false")):
        browser.value(what)
    for key, again in (("3", "false"), ("3", "true"), ("4", "false"), ("x", "false")):
        browser.value(TYPE.format(key, again))
    found: list[Press] = []
    end = time.monotonic() + 10
    while len(found) < 5 and time.monotonic() < end:
        time.sleep(0.05)
        found += live.presses.take()
    assert {(one.label, one.answer, one.asked) for one in found} == {
        (1, None, 0), (None, True, 3), (None, False, 3), (2, None, 3)
    }  # fmt: skip
    assert len(found) == 5
    live.teaching(Teaching((5, 0, 1)))
    browser.wait("document.getElementById('question').hidden")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_in_a_browser(made: report.Report, width: int, dark: bool, tmp_path: Path) -> None:
    with watched(Wanted(True)) as live, Browser(tmp_path, width, dark=dark) as browser:
        browser.open(live.url)
        browser.wait("document.getElementById('state').textContent === 'connecting'")
        live.use(made)
        tell_all(live)
        browser.wait("document.getElementById('done').textContent === '40'")
        browser.wait("document.querySelectorAll('svg.map .box').length")
        browser.wait("document.querySelectorAll('#counters tr').length")
        found = browser.value(FOUND)
        assert found["words"] == [
            "model.tflite", "running", "train on qemu_stm32f405", "of 200", "88.8 %", "64.0 %",
        ]  # fmt: skip
        assert found["probabilities"] == ["sit  10 %", "<b>walk  70 %", "run  20 %"]
        assert found["confusion"] == [" sit <b>walk run", "sit 3 · ·", "<b>walk 1 2 ·", "run · · 3"]
        assert found["layers"] == ["conv_1  1.5", "dense_2  3"]
        assert found["gradients"] == ["logits  -9", "d_conv  -14"]
        assert found["counters"] == ["commands sent again 3", "updates skipped 0"]
        assert [c.split()[0] for c in found["channels"]] == ["ax", "ay", "az"]
        assert (found["lines"], found["dots"], found["bold"], found["hidden"]) == (4, 2, 0, 1)
        assert found["colors"] >= 3
        assert found["boxes"] == len(made["plans"][made["fuller"]]["buffers"])
        assert found["wide"] <= width
        assert found["small"] == 0
        assert found["columns"] == (1 if width < 760 else 2)
        assert (found["paper"] == "rgb(21, 23, 29)") == dark
        press(browser, live)
        live.signal(Signal(np.arange(48, dtype=np.int8).reshape(4, 4, 3)))
        browser.wait("document.getElementById('channels').children.length === 0")
        live.end("stopped")
        browser.wait("document.getElementById('state').textContent === 'stopped'")
        browser.wait("[...document.querySelectorAll('.presses button')].every((b) => b.disabled)")
        assert browser.said == []
        assert browser.requests
        assert all(
            url.startswith((live.url.partition("?")[0], "data:")) for url in browser.requests
        )


LONG = (
    "walking_upstairs",
    "walking_downstairs",
    "lying face down",
    "<sitting_still>",
    "x" * 60,
    "é",
)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_matrix_of_long_names_is_not_cut_off(tmp_path: Path) -> None:
    """Six classes on a desktop and on a phone: nothing to scroll, whole counts, names in full or
    with dots, and in the tips."""
    with watched(Wanted(True)) as live, Browser(tmp_path, 1280) as browser:
        live.begin(About("train", "x", classes=LONG))
        live.score(Score(9, 50.0, samples=9999, confusion=[[1234] * 6] * 6))
        live.layers(9, [Layer("conv_1", 1.5, 0.0, 90)])  # beside it
        live.teaching(Teaching((1234,) * 6))
        browser.open(live.url)
        browser.wait("document.querySelectorAll('#confusion td').length")
        for width in (1280, 800, 390):
            browser.ask(
                "Emulation.setDeviceMetricsOverride",
                width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
            )  # fmt: skip
            assert browser.value("document.documentElement.scrollWidth") <= width
            narrow = """[...document.querySelectorAll('.scroll, #confusion td, .presses button')]
                .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth).length"""
            assert browser.value(narrow) == 0, width
        titles = "[...document.querySelectorAll('#confusion th')].map((e) => e.title)"
        assert browser.value(titles) == ["", *LONG, *LONG]
        assert browser.said == []
