"""tinyflash watch, and train --watch: what a browser gets of a run, which is the same as ever."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.cli.labelling import Labels, Watch
from tinyflash.cli.stopping import Stop
from tinyflash.data.collecting.recorder import Progress
from tinyflash.show.watch.live import Live, as_json
from tinyflash.show.watch.presses import Press

TINYFLASH = [sys.executable, "-m", "tinyflash"]


def train(model, scheme, data, out, *more):
    return "train", model, "--scheme", scheme, "--data", data, "-o", out, *more


def get(url, path="/"):
    """The body of an answer, until it ends."""
    host, port, query = re.fullmatch(r"http://([\d.]+):(\d+)/(\?token=.*)", url).groups()
    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.sendall(f"GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        text = b"".join(iter(lambda: line.recv(1 << 16), b"")).decode()
    return text.partition("\r\n\r\n")[2]


def sections(stream):
    """The newest of each section, and the number of updates."""
    news = [json.loads(one) for one in re.findall(r"^data: (.*)$", stream, re.M)]
    return {name: one for update in news for name, one in update.items()}, len(news)


@pytest.fixture
def run(model, scheme, data, tmp_path):
    """A run with its folder, on this computer."""
    result = tinyflash(*train(model, scheme, data, tmp_path / "out", "--rate", "0.05"))
    assert result.exit_code == 0, result.output
    return tmp_path / "out"


def test_a_run_writes_what_it_told(run):
    """Its figures are those of training.json, and of the learned weights."""
    told, course = (json.loads((run / n).read_text()) for n in ("watch.json", "training.json"))
    assert told["about"]["state"] == "finished"
    assert told["about"]["hash"] == course["hash"]
    assert told["step"]["done"] == told["step"]["of"] == len(course["losses"]) == 96
    assert told["step"]["loss"] == pytest.approx(np.mean(course["losses"][-25:]), rel=1e-4)
    assert told["step"]["accuracy"] == 100 * np.mean(course["correct"][-25:])
    points = [[done, pytest.approx(score, rel=1e-4)] for done, score in course["accuracy_course"]]
    assert told["scores"]["points"] == points
    matrix = np.array(told["scores"]["confusion"])
    assert matrix.sum() == told["scores"]["samples"] == 8
    assert 100 * np.trace(matrix) / 8 == course["accuracy_after"]
    assert told["gradients"]["exponents"] == course["health"]["exponents"][-1]
    with np.load(run / "learned.npz") as learned:
        ends = np.frombuffer(learned["weights"].tobytes(), np.int8)
    layers = told["layers"]["layers"]
    assert told["layers"]["done"] == 96
    head = next(layer for layer in layers if "fully" in layer["name"])
    size = head["weights"]
    means = [abs(ends[at : at + size].astype(int)).mean() for at in range(len(ends) - size + 1)]
    assert pytest.approx(head["change"], rel=1e-3) in means  # a new head starts at 0
    assert told["signal"]["shape"] == [8, 8, 3]
    assert len(told["probabilities"]["values"]) == 3


def test_watching_changes_no_bit(run, model, scheme, data, tmp_path):
    other = tmp_path / "watched"
    command = train(model, scheme, data, other, "--rate", "0.05", "--watch")
    result = tinyflash(*command)
    assert result.exit_code == 0, result.output
    assert "watch it at http://127.0.0.1:" in result.stderr
    for name in ("learned.npz", "training.json"):
        assert (other / name).read_bytes() == (run / name).read_bytes()


def watching(*arguments):
    """A process, and the URL that it prints."""
    command = [*TINYFLASH, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("watch it at "):
            return process, line.removeprefix("watch it at ").strip()
    raise AssertionError("it does not say where")


def test_watch_shows_a_run_from_its_files(run):
    process, url = watching("watch", run)
    with process:
        try:
            while 'id="memory"' not in get(url):  # it has read the report
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            found, _ = sections(get(url, "/events"))
        finally:
            process.terminate()
        assert process.wait(30) == 0
    told = json.loads((run / "watch.json").read_text())
    assert found.pop("page") >= 0
    assert found == told


def test_a_folder_without_a_run_is_one_line(tmp_path):
    line = refused("watch", tmp_path)
    assert line.startswith(f"{tmp_path}/watch.json cannot be shown: No such file")
    assert refused("watch", tmp_path / "none").endswith(
        "name the folder that tinyflash train -o fills"
    )


def test_a_port_in_use_is_one_line_before_the_work(model, scheme, data, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        out = tmp_path / "out"
        line = refused(*train(model, scheme, data, out, "--watch-port", port))
        assert line.startswith(f"port {port} of 127.0.0.1 cannot be used: ")
        assert not (out / "learned.npz").exists()


def test_a_browser_follows_an_emulated_board(model, scheme, data, tmp_path, request):
    """Two that watch, one of which reads nothing; the board learns what it learns unwatched."""
    from tinyflash.boards import load_board

    board = load_board("qemu_mps2_an500")
    if board.cross.missing() or board.cross.missing_emulator():
        pytest.skip("the compiler or the emulator is missing")
    more = ("--board", board.name, "--epochs", "6", "--rate", "0.05")
    out, plain = tmp_path / "out", tmp_path / "plain"
    process, url = watching(*train(model, scheme, data, out, *more, "--watch"))
    host, port = re.findall(r"http://(.*?):(\d+)/", url)[0]
    with process, socket.create_connection((host, int(port))) as stalled:
        stalled.sendall(
            f"GET /events{url[url.index('?') :]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        found, updates = sections(get(url, "/events"))
        process.stdout.read()
        assert process.wait(60) == 0
    assert (found["about"]["board"], found["about"]["state"]) == (board.name, "finished")
    assert found["step"]["done"] == 6 * 32
    assert found["layers"]["done"] == 6 * 32
    assert found["counters"]["commands sent again"] < 3  # a busy computer may be late
    assert found["counters"]["clock ticks of the last step"] > 0
    assert updates > 5
    assert (
        tinyflash(*train(model, scheme, data, plain, "--epochs", "6", "--rate", "0.05")).exit_code
        == 0
    )
    assert (out / "learned.npz").read_bytes() == (plain / "learned.npz").read_bytes()


def test_a_killed_run_can_be_watched(model, scheme, data, tmp_path):
    """From what it had written a second before."""
    out = tmp_path / "out"
    command = [*TINYFLASH, *map(str, train(model, scheme, data, out, "--epochs", "60000"))]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (out / "watch.json").exists():
            assert process.poll() is None
        process.kill()
    told = json.loads((out / "watch.json").read_text())
    assert told["about"]["state"] == "running"
    assert 0 < told["step"]["done"] < told["step"]["of"]
    assert Path(out / "watch.json").stat().st_size < 1 << 16


def test_live_learning_tells_each_window(model, scheme, data, tmp_path):
    """How it was classified before it was learned from: the figures are those of its record."""
    out = tmp_path / "out"
    result = tinyflash(*train(model, scheme, data, out, "--live", "--auto", "--rate", "0.05"))
    assert result.exit_code == 0, result.output
    told, course = (json.loads((out / n).read_text()) for n in ("watch.json", "training.json"))
    assert (told["about"]["command"], told["about"]["state"]) == ("train --live", "finished")
    assert told["step"]["done"] == told["step"]["of"] == 40
    assert sum(told["probabilities"]["values"]) == pytest.approx(1, abs=0.02)
    matrix = np.array(told["scores"]["confusion"])
    with np.load(data) as given:
        assert matrix.sum(axis=1).tolist() == np.bincount(given["y"], minlength=3).tolist()
    accuracy = f"prequential accuracy: {100 * np.trace(matrix) / 40:.1f} %"
    assert accuracy in result.stdout
    assert told["scores"]["points"][-1] == [40, pytest.approx(100 * np.trace(matrix) / 40)]
    assert told["counters"]["windows learned from"] == 40
    assert told["layers"]["done"] == 40
    assert course["hash"] == told["about"]["hash"]


def test_collecting_tells_frames_and_gaps():
    info = SimpleNamespace(
        name="imu", shape=(2,), rate=50.0, scale=0.5, names=("x", "y"), units=("g", "g")
    )
    live, stop = Live(), Stop()
    labels = Labels("sit", ("sit", "walk"))
    watch = Watch(labels, stop, lambda: "", None, live, live.presses)
    now = Progress(info, "sit", "sit-1", kept=7, safe=3, gaps=[(4, 6)], lost=2, cuts=1)
    now.newest = np.arange(6, dtype=np.int16).reshape(3, 2)
    watch.listen(now)
    now.newest, now.first, now.label = now.newest[:1] + np.int16(6), 3, ""
    watch.listen(now)
    now.newest, now.is_connected = now.newest[:0], False
    watch.listen(now)
    told = json.loads(as_json(live.since(0)[1]))
    numbers = np.frombuffer(base64.b64decode(told["signal"]["data"]), "<i2")
    assert numbers.tolist() == list(range(8))
    assert told["signal"]["channels"] == ["x", "y"]
    assert (told["signal"]["unit"], told["signal"]["scale"]) == ("g", 0.5)
    counts = told["counters"]
    assert (counts["frames kept"], counts["frames on the disk"], counts["frames lost"]) == (7, 3, 2)
    assert (counts["link cuts"], counts["link"]) == (1, "lost; trying again")
    assert counts["label"] == "none"
    assert told["teaching"]["counts"] == [3, 0, 1]
    assert told["teaching"]["note"] == "label: sit"
    for press, chosen in ((1, "walk"), (2, ""), (0, "sit")):
        live.presses.put(Press(press, None, 0))
        watch.listen(now)
        assert labels.now == chosen
