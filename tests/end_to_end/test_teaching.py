"""tinyflash train --live, as it is typed: keys in a terminal, emulated boards, what is refused."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File
from tests.support.sets import CLASSES, signal_set

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.replay import write_replay
from tinyflash.data.collecting.replays import replay_of
from tinyflash.runtime.replay import Kept
from tinyflash.runtime.session import Counters

BOARD = "qemu_stm32f405"


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two classes, its scheme, and a set whose first recording is `low`."""
    folder = tmp_path_factory.mktemp("teaching")
    file = File(3)
    x = file.conv(file.input((1, 1, 20, 2), zero=0), (1, 3), out=4, activation=3, zero=-128)
    (folder / "model.tflite").write_bytes(file.finish(file.dense(x, 2)))
    (folder / "s.toml").write_text("[[update]]\nlast = 1\nbias = true\nweights = 1.0\n")
    signal_set(folder / "set", people=1, frames=1500)
    return folder


def command(folder: Path, out: str, *more: object) -> list[str]:
    words = (sys.executable, "-m", "tinyflash", "train", folder / "model.tflite", "--scheme")
    rest = ("--live", "--rate", "0.02", "--labels", ",".join(CLASSES), "-o", folder / out)
    return [str(word) for word in (*words, folder / "s.toml", *rest, *more)]


def typed(words: list[str], press: Callable[[bytes, int], bytes | None]) -> tuple[int, str]:
    """Runs a command in a terminal. press: returns the next key, from what was said since the last
    one, and the number of keys so far."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        os.execvp(words[0], words)
    said, heard, count, end = b"", 0, 0, time.monotonic() + 120
    while True:
        assert time.monotonic() < end, said.decode(errors="replace")[-4000:]
        ready, _, _ = select.select([terminal], [], [], 0.02)
        try:
            said += os.read(terminal, 65536) if ready else b""
        except OSError:  # it has ended
            break
        if (key := press(said[heard:], count)) is not None:
            os.write(terminal, key)
            heard, count = len(said), count + 1
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace")


def button(url: str, **what: object) -> int:
    """Presses a button of the page. Returns the status."""
    parts = urlsplit(url)
    line = HTTPConnection(parts.netloc, timeout=10)
    line.request("POST", f"/press?{parts.query}", json.dumps(what))
    return line.getresponse().status


def test_keys_and_buttons_teach_an_emulated_board(folder: Path) -> None:
    """It learns, saves and ends at q; a label that surprises is asked about, and the answer may
    come from the page."""
    labels = iter([b"1", b"", b"1", b"q"])
    page, questions, statuses = "", 0, []

    def press(said: bytes, count: int) -> bytes | None:
        nonlocal page, questions
        page = page or "".join(re.findall(r"http://127\S+", said.decode(errors="replace"))[:1])
        if b"low surprises" in said:
            questions += 1
            statuses.append(button(page, answer=True, asked=questions))
            return b""
        if re.search(rb"[1-9] windows; no" if count == 0 else rb"learned low|label already", said):
            time.sleep(0.3)  # so that another window has come
            if (key := next(labels, None)) == b"":
                statuses.append(button(page, label=0, asked=0))
            return key
        return None

    more = ("--board", BOARD, "--sensor", folder / "set" / "p0-0", "--replay", 2)
    watch = ("--watch", "--json", folder / "live.json", "--hop", 2, "--earlier", folder / "set")
    status, said = typed(command(folder, "board", *more, *watch), press)
    assert status == 0, said
    assert "1 low, 2 high; q ends" in said
    assert set(statuses) == {202}
    assert len(statuses) == 1 + questions
    assert "watch it at http://127.0.0.1:" in said
    assert "prequential accuracy: " in said
    record = json.loads((folder / "live.json").read_text())
    given = [window["label"] for window in record["windows"]]
    assert given == [0] * len(given)
    assert 2 <= len(given) <= 3
    assert record["finished"]
    assert record["board"] == BOARD
    assert record["replay"]["replayed"] == len(given)
    watched = json.loads((folder / "board" / "watch.json").read_text())
    assert watched["about"]["classes"] == list(CLASSES)
    assert watched["teaching"]["counts"] == [len(given), 0]
    assert watched["step"]["done"] == len(given)
    with np.load(folder / "board" / "learned.npz") as arrays:
        steps = Counters.of(arrays["state"].tobytes()).step
        assert Kept.of(arrays["replay"].tobytes(), 2, 2).replayed == len(given)
    assert steps == 2 * len(given)


def test_a_board_that_is_unplugged_loses_nothing(folder: Path) -> None:
    """On a port; what was learned is on the disk after each label, and a run goes on from it."""
    out = folder / "port"
    scheme = ("--scheme", folder / "s.toml")
    made = tinyflash("compile", folder / "model.tflite", *scheme, "--board", BOARD, "-o", out)
    assert made.exit_code == 0, made.output
    assert tinyflash("build", out, "--collect", 4096).exit_code == 0
    write_replay(out, replay_of(folder / "set" / "p0-1"))
    with Emulator(load_board(BOARD), out / "firmware.elf", sensor=out) as emulator:

        def press(said: bytes, count: int) -> bytes | None:
            if count == 0 and re.search(rb"[1-9] windows; no label yet", said):
                return b"2"
            if b"surprises" in said and not (out / "learned.npz").exists():
                return b"y"
            if (out / "learned.npz").exists() and emulator.why_dead() is None:
                emulator.__exit__(None, None, None)
            return None

        words = command(folder, "port", "--port", emulator.url, "--hop", 2)
        status, said = typed(words, press)
    assert status == 1, said
    assert "stopped by a lost board after 1 label; to go on, add --resume" in said
    with np.load(out / "learned.npz") as arrays:
        assert Counters.of(arrays["state"].tobytes()).step == 1
    assert json.loads((out / "training.json").read_text())["finished"] is False


def test_what_is_refused(folder: Path) -> None:
    sensor = ("--sensor", folder / "set" / "p0-0")
    for arguments, why in (
        ((), "name it with --board or --port"),
        (("--board", BOARD), "name it with --sensor"),
        (("--port", "x", *sensor), "leave out --port"),
        (("--board", BOARD, *sensor, "--labels", "a,b,c"), "3 names; the network has 2 classes"),
        (("--board", BOARD, *sensor, "--auto"), "--sensor has no meaning with --auto"),
        (("--board", BOARD, *sensor, "--data", folder / "set"), "--data needs --auto"),
        (("--board", BOARD, *sensor, "--skip-surprising"), "--skip-surprising needs --auto"),
        (("--board", BOARD, "--sensor", folder / "none"), "no such file"),
    ):
        words = command(folder, "no", *arguments)[3:]
        assert why in refused(*words), why
    words = command(folder, "no", "--auto")[3:]
    words = [word for word in words if word not in {"--labels", ",".join(CLASSES)}]
    assert "name them with --data" in refused(*words)
    plain = tinyflash("train", folder / "model.tflite", "-o", folder / "no")
    assert "Missing option '--data'" in plain.stderr
    assert "--sensor needs --live" in refused(
        "train", folder / "model.tflite", "--data", folder / "set", *sensor, "-o", folder / "no"
    )
