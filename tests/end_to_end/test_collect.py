"""tinyflash collect, as it is typed: emulated boards, ports, keys, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.firmware import MODEL
from tests.support.sets import signal_set, sound_set

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.replay import Replay, write_replay
from tinyflash.data.dataset import load
from tinyflash.data.features import make_features, settings_for
from tinyflash.data.journal import Journal
from tinyflash.data.shards import read

BOARD = "qemu_stm32f405"
RATE = 500.0
KEY = bytes(range(16))


def collected(*arguments: object) -> dict[str, Any]:
    """The JSON of a command that went well."""
    result = tinyflash("collect", *arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


@pytest.fixture(scope="module", name="port")
def _port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a paired board whose sensor counts."""
    folder = tmp_path_factory.mktemp("board")
    board = load_board(BOARD)
    elf = build_firmware(MODEL, board, folder, pairing_key=KEY, collect=8192)
    frames = np.arange(2 * 200_000).astype(np.int16).reshape(-1, 2)
    write_replay(folder, Replay("counter", frames, RATE, 0.25, ("a", "b"), ("g", "g")))
    (folder / "key").write_text(KEY.hex())
    with Emulator(board, elf, sensor=folder) as emulator:
        yield emulator.url


@pytest.fixture(name="key")
def _key(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(KEY.hex())
    return tmp_path / "key"


def test_an_emulated_board_replays_a_recording_of_a_set(tmp_path: Path) -> None:
    source = signal_set(tmp_path / "source")
    wanted = read(source, source.recording("p0-0"))
    given = (tmp_path / "source" / "p0-0", "--rate", 400, "--label", "low", "--subject", "anna")
    told = collected("--board", BOARD, "--replay", *given, "--window", 20, "-o", tmp_path / "set")
    (one,) = told["recordings"]
    assert told["rate"] == 400
    assert (one["name"], one["frames"], one["gaps"], one["windows"]) == ("low", 200, [], 19)
    dataset = load(tmp_path / "set")
    assert np.array_equal(read(dataset, dataset.recording("low")).frames, wanted.frames)
    assert dataset.frames.channels == ("a", "b")
    assert dataset.frames.scale == 0.02
    assert dataset.recordings[0].subject == "anna"
    assert dataset.recordings[0].source == f"{BOARD}, replay of p0-0"


def test_a_paired_board_on_a_port_and_several_recordings(
    port: str, key: Path, tmp_path: Path
) -> None:
    given = ("--port", port, "--pairing-key", key, "--seconds", 0.2, "-o", tmp_path / "set")
    shards = tmp_path / "set" / "shards"
    Journal(shards / "x-y-2.000000.frames", (2,), ("x-y-2", "", "", ""), 1)  # killed at once
    for _ in range(2):
        told = collected(*given, "--label", "x y", "--labels", "b, a,")
        assert told["frames"] == round(0.2 * RATE)
        assert told["lost"] == told["lost_by_board"] == told["link_cuts"] == 0
    dataset = load(tmp_path / "set")
    assert [one.name for one in dataset.recordings] == ["x-y", "x-y-3"]
    assert dataset.classes == ("b", "a", "x y")
    assert "takes commands only from hosts" in refused(*("collect", *given[:2], *given[4:]))
    other = (*given[:4], "-o", tmp_path / "other")
    signal_set(tmp_path / "other")
    assert "is not the set's" in refused("collect", *other)


def test_keys_label_while_it_runs_and_ctrl_c_ends_it(port: str, key: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tinyflash", "collect", "--port", port, "--pairing-key", key]
    command += ["--labels", "left,right", "-o", tmp_path / "set"]
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        os.execvp(command[0], [str(word) for word in command])
    keys, said, begun = [b"1", b"2", b"0", b"\x03"], b"", 0.0
    while True:
        ready, _, _ = select.select([terminal], [], [], 0.02)
        try:
            said += os.read(terminal, 65536) if ready else b""
        except OSError:  # it has ended
            break
        if b"none lost" in said and not begun:
            begun = time.monotonic()
        if begun and keys and time.monotonic() > begun + 0.4 * (5 - len(keys)):
            os.write(terminal, keys.pop(0))
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130, said.decode()
    assert "1 left, 2 right, 0 no label, q ends" in said.decode()
    assert any(bar in said.decode() for bar in "▂▃▄▅")
    assert "stopped by Ctrl-C" in said.decode()
    track = read(dataset := load(tmp_path / "set"), dataset.recordings[0])
    edges = np.flatnonzero(np.diff(track.labels)) + 1
    assert [track.labels[at] for at in (0, *edges)] == [-1, 0, 1, -1]
    assert (np.diff(edges) > 0.1 * RATE).all()


def test_an_emulator_that_is_killed_leaves_what_was_acknowledged(tmp_path: Path) -> None:
    source = signal_set(tmp_path / "source", frames=20_000)
    command = [sys.executable, "-m", "tinyflash", "collect", "--board", BOARD, "--replay"]
    command += [str(source.folder), "--rate", "500", "-o", str(tmp_path / "set")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        journal = tmp_path / "set" / "shards" / "recording.000000.frames"
        while process.poll() is None and not (journal.exists() and journal.stat().st_size > 4000):
            time.sleep(0.02)
        (board,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(board), signal.SIGKILL)
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 1
    assert "error: the emulator was killed by signal 9" in said.splitlines()[-1]
    (recording,) = load(tmp_path / "set").recordings
    assert recording.count > 500
    assert recording.missing == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without it")
def test_a_terminal_that_is_closed_before_the_board_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "tinyflash", "collect", "-o", str(tmp_path / "set")]
        command += ["--port", f"socket://127.0.0.1:{silent.getsockname()[1]}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(60)
            with silent.accept()[0]:
                process.send_signal(signal.SIGHUP)
                said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGHUP
    assert said == "stopped by SIGHUP before the board answered; nothing was recorded\n"
    assert not (tmp_path / "set").exists()


def test_what_is_refused(tmp_path: Path) -> None:
    out = ("-o", tmp_path / "set")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")
    emulated = ("--board", BOARD, "--replay")
    for arguments, why in (
        ((), "give --port of a board, or --board"),
        (("--board", BOARD), "name it with --replay"),
        (("--board", "stm32f446_nucleo", "--replay", "activity:1"), "is not emulated"),
        (("--port", "x", "--replay", "activity:1"), "leave out --port"),
        (("--port", "/dev/none"), "cannot be opened"),
        ((*emulated, tmp_path / "x.csv"), "give --rate"),
        ((*emulated, tmp_path / "y.csv"), "no such file"),
        ((*emulated, "activity:31"), "the persons are 1 to 30"),
        ((*emulated, "activity:3:flying"), "choose from walking"),
        ((*emulated, "activity:3", "--hop", 3), "--hop needs --window"),
        ((*emulated, "activity:3", "--labels", "a,b,c,d,e,f,g,h,i,j"), "10 classes for 9 keys"),
    ):
        assert why in refused("collect", *arguments, *out)
    assert not (tmp_path / "set").exists()
    nucleo = ("build", tmp_path, "--board", "stm32f446_nucleo", "--collect", 100)
    (tmp_path / "model.c").write_text("")
    (tmp_path / "model.h").write_text("extern const tiny_model model;")
    assert "has no sensor to collect from" in refused(*nucleo)


def test_features_of_a_board_are_those_of_this_computer(tmp_path: Path) -> None:
    """A second of noise at 1,600 numbers per second, of which an emulated board sends features."""
    source = sound_set(tmp_path / "source", 1600)
    text = "spectrogram:window=64,hop=32,bands=8"
    settings = settings_for(source, text)
    made = make_features(source, settings, tmp_path / "made")
    given = ("--replay", tmp_path / "source" / "noise", "--label", "high", "--features", text)
    told = collected("--board", BOARD, *given, "-o", tmp_path / "set")
    dataset = load(tmp_path / "set")
    assert told["rate"] == 50 and told["lost"] == 0
    assert dataset.frames == made.frames and dataset.frames.front_end == settings.text
    (mine,), (other,) = dataset.recordings, made.recordings
    assert np.array_equal(read(dataset, mine).frames, read(made, other).frames)
    again = ("--board", BOARD, "--replay", tmp_path / "source" / "noise", "-o", tmp_path / "set")
    assert "front_end raw is not the set's spectrogram:" in refused("collect", *again)
