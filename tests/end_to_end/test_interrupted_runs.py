"""Training runs that end early, in processes of their own, and on boards."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.boards.emulator import Emulator
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Counters
from tinyflash.training.loop import Recipe

# Calls its process "training" from when it takes the signals until it ends.
PROGRAM = """
from contextlib import contextmanager
from pathlib import Path
from tinyflash.cli import main, train
stopping, name = train.stopping, Path("/proc/self/comm")
@contextmanager
def marked():
    with stopping() as stop:
        if name.exists():
            name.write_text("training")
        yield stop
train.stopping = marked
main()
"""
TRAIN = [sys.executable, "-c", PROGRAM, "train"]
SCHEME = (
    "head = 3\n[[update]]\nlast = 2\nbias = true\nweights = 0.5\n"
    "[optimizer]\nmomentum = 0.9\naccumulate = 4\n"
)
EPOCHS = 100
GUARD = ("--guard", "3", "--guard-every", "8", "--guard-tolerance", "0")


@pytest.fixture
def command(model, samples, tmp_path):
    np.savez(tmp_path / "data.npz", x=samples.x, y=samples.y)
    (tmp_path / "scheme.toml").write_text(SCHEME)
    rest = ("--scheme", tmp_path / "scheme.toml", "--data", tmp_path / "data.npz", *GUARD)
    return [*TRAIN, *map(str, (model, *rest)), "--epochs", str(EPOCHS)]


def start(command, out, *more, **settings):
    """In a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [*command, "-o", str(out), *map(str, more)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # if these tests ignore it
        **{"stderr": subprocess.PIPE, **settings},
    )


def is_training(process):
    return Path(f"/proc/{process.pid}/comm").read_text() == "training\n"


def interrupted(process, *signals, wait=0.5):
    """Sends signals to the whole group some time after training has begun. Returns what it says."""
    while process.poll() is None and not is_training(process):
        time.sleep(0.01)
    time.sleep(wait)
    for number in signals:
        os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    return said


def course(out):
    return json.loads((out / "training.json").read_text())


def without_place(record):
    return {key: value for key, value in record.items() if key != "board"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the process in /proc")
def test_a_run_on_a_board_goes_on_to_the_bytes_of_the_host(command, board, tmp_path):
    """Ctrl-C, which a terminal sends to the emulator, too, three times; then SIGTERM; then on this
    computer."""
    whole, out = tmp_path / "whole", tmp_path / "parts"
    assert start(command, whole).wait(120) == 0
    resume = ("--resume", out / "learned.npz")
    process = start(command, out, "--board", board.name)
    said = interrupted(process, *[signal.SIGINT] * 3)
    assert process.returncode == 130, said
    assert "stopped by Ctrl-C after" in said.splitlines()[-1]
    first = course(out)
    assert 0 < first["done"] < first["steps"]
    assert first["losses"] == course(whole)["losses"][: first["done"]]
    process = start(command, out, "--board", board.name, *resume)
    said = interrupted(process, signal.SIGTERM)
    assert process.returncode == 143, said
    second = course(out)
    assert first["done"] < second["done"] < second["steps"]
    assert start(command, out, *resume).wait(120) == 0
    assert (out / "learned.npz").read_bytes() == (whole / "learned.npz").read_bytes()
    assert without_place(course(out)) == without_place(course(whole))


def test_a_run_begun_here_ends_on_a_board(command, board, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "parts"
    arguments = [*command[3 : command.index("--epochs")], "--epochs", "2"]
    assert tinyflash(*arguments, "-o", whole).exit_code == 0
    train_step = HostSession.train_step

    def struck(self, x, label, *rate):
        if not rate and Counters.of(self.state).step == 12:
            signal.raise_signal(signal.SIGTERM)
        return train_step(self, x, label, *rate)

    monkeypatch.setattr(HostSession, "train_step", struck)
    assert tinyflash(*arguments, "-o", out).exit_code == 143
    assert course(out)["done"] == 13
    resume = ("--resume", out / "learned.npz", "--board", board.name)
    result = tinyflash(*arguments, "-o", out, *resume)
    assert result.exit_code == 0, result.output
    assert (out / "learned.npz").read_bytes() == (whole / "learned.npz").read_bytes()
    assert without_place(course(out)) == without_place(course(whole))


def test_a_board_that_is_unplugged_ends_in_one_line(command, board, tmp_path, monkeypatch):
    """After a save. The same command then finds what the board has saved, and starts anew."""
    if board.store is None:
        pytest.skip(f"{board.name} has no store")
    arguments = [*command[3 : command.index("--epochs")], "--epochs", "2", "--save-every", "3"]
    arguments += ["--board", board.name, "-o", tmp_path / "out"]
    running, save = [], DeviceSession.save

    def begin(emulator, enter=Emulator.__enter__):
        running.append(emulator)
        return enter(emulator)

    def last_save(device):
        saved = save(device)
        os.kill(running[-1].pid, signal.SIGKILL)
        return saved

    monkeypatch.setattr(Emulator, "__enter__", begin)
    with monkeypatch.context() as patch:
        patch.setattr(DeviceSession, "save", last_save)
        assert "was killed by signal 9 in the middle of the work" in refused(*arguments)
    result = tinyflash(*arguments)
    assert result.exit_code == 0, result.output
    assert "had learned in 3 steps; this run starts anew" in result.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the process in /proc")
def test_a_terminal_that_is_closed_loses_nothing(command, tmp_path):
    """SIGHUP, and no place left to print to."""
    out = tmp_path / "out"
    ours, theirs = pty.openpty()
    process = start([*command[:-1], "20000"], out, stderr=theirs)
    os.close(theirs)
    while process.poll() is None and not is_training(process):
        time.sleep(0.01)
    time.sleep(1)
    os.close(ours)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(120) == 129
    assert course(out)["done"] > 0
    assert (out / "learned.npz").is_file()


def test_progress_that_nobody_reads_ends_no_run(command, tmp_path):
    """As in `tinyflash train ... 2>&1 | head -1`."""
    command = [*command[: command.index("--epochs")], "--epochs", str(Recipe.epochs)]
    process = start(command, tmp_path / "out")
    process.stderr.close()
    process.stdout.close()
    process.wait(120)
    assert course(tmp_path / "out")["done"] == course(tmp_path / "out")["steps"]


def members(session):
    """The processes of a session, except those that have ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(of) == session and state != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at the process in /proc")
def test_a_benchmark_that_is_stopped_leaves_no_process():
    """SIGTERM, which reaches only the first process; the others are in the middle of cells."""
    command = [sys.executable, "-m", "tinyflash", "bench", "accuracy", "--quick", "--ours"]
    command += ["--fresh", "--processes", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and len(members(process.pid)) < 5:
        time.sleep(0.1)  # the first, a manager, a tracker of resources, and two that work
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert said.splitlines()[-1] == "stopped by SIGTERM"
    for _ in range(100):  # the tracker of resources ends by itself, after all others
        if not members(process.pid):
            return
        time.sleep(0.1)
    raise AssertionError(members(process.pid))
