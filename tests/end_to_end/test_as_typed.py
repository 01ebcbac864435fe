"""compile, build, flash and train as a user types them, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinyflash.boards import boards
from tinyflash.runtime.device import DeviceSession

BUSY_TICKS = 50  # of 10 ms that the emulator computed: training is under way
EMULATED = [board for board in boards() if board.emulated]
TINYFLASH = [sys.executable, "-m", "tinyflash"]


def tinyflash(*arguments):
    command = [*TINYFLASH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def data(samples, tmp_path):
    np.savez(tmp_path / "data.npz", x=samples.x, y=samples.y)
    return tmp_path / "data.npz"


@pytest.fixture
def scheme(tmp_path):
    (tmp_path / "scheme.toml").write_text("head = 3\n")
    return tmp_path / "scheme.toml"


def test_compile_build_flash_and_talk_to_it(model, scheme, samples, board, tmp_path):
    out = tmp_path / "out"
    done = tinyflash("compile", model, "--scheme", scheme, "--board", board.name, "-o", out)
    assert done.returncode == 0, done.stderr
    done = tinyflash("build", out)
    assert done.returncode == 0, done.stderr
    assert f"of {board.sram_bytes:,}" in done.stdout
    linked = json.loads((out / "report.json").read_text())["linked"]
    assert f"flash {linked['flash_bytes']:,} of" in done.stdout
    assert f"SRAM {linked['sram_bytes']:,} of" in done.stdout
    page = (out / "report.html").read_text()
    assert f"{linked['flash_bytes']:,} of {board.flash_bytes:,} bytes" in page
    with subprocess.Popen([*TINYFLASH, "flash", out], stdout=subprocess.PIPE, text=True) as flash:
        try:
            said = flash.stdout.readline()
            url = next(word for word in said.split() if word.startswith("socket://"))
            with DeviceSession(url) as device:
                assert device.info.board == board.name
                assert device.infer(samples.x[0]).shape == (3,)
            flash.terminate()  # SIGINT may be ignored where these tests run in the background
            assert flash.wait(30) == 0
        finally:
            flash.kill()


def test_flash_ends_by_itself_when_told_to(model, board, tmp_path):
    out = tmp_path / "out"
    tinyflash("compile", model, "--board", board.name, "-o", out)
    tinyflash("build", out)
    done = tinyflash("flash", out, "--exit-after", "0.5")
    assert done.returncode == 0, done.stderr
    assert "socket://" in done.stdout


def test_flash_knows_the_board_that_the_image_is_for(model, tmp_path):
    out = tmp_path / "out"
    tinyflash("compile", model, "--board", "qemu_stm32f405", "-o", out)
    tinyflash("build", out, "--board", "qemu_mps2_an500")
    done = tinyflash("flash", out, "--exit-after", "0")
    assert done.stdout.startswith("qemu_mps2_an500 runs")
    done = tinyflash("flash", out, "--board", "qemu_stm32f405", "--exit-after", "0")
    assert done.returncode == 1
    assert "built for board qemu_mps2_an500, not qemu_stm32f405" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_folder_for_two_schemes_and_two_boards(model, scheme, data, tmp_path):
    """What was built from another model, or for another board, does not run."""
    out, other, (first, second) = tmp_path / "out", tmp_path / "b.toml", EMULATED[:2]
    other.write_text("head = 3\n[[update]]\nlast = 1\nbias = true\n")
    compiling = ("compile", model, "--scheme", scheme, "--board", first.name, "-o", out)
    assert tinyflash(*compiling).returncode == 0
    assert tinyflash("build", out).returncode == 0
    assert tinyflash("flash", out, "--exit-after", "0").stdout.startswith(f"{first.name} runs")
    training = ("train", model, "--scheme", other, "--data", data, "--epochs", "1", "-o", out)
    assert tinyflash(*training, "--board", second.name).returncode == 0
    assert tinyflash("flash", out, "--exit-after", "0").stdout.startswith(f"{second.name} runs")
    assert tinyflash(*compiling).returncode == 0
    done = tinyflash("flash", out, "--exit-after", "0")
    assert done.returncode == 1
    assert "firmware.elf is stale: it was built from model" in done.stderr
    assert tinyflash("build", out).returncode == 0
    assert tinyflash("flash", out, "--exit-after", "0").stdout.startswith(f"{first.name} runs")
    (out / "firmware.json").unlink()  # its hash alone is compared
    assert tinyflash("flash", out, "--exit-after", "0").returncode == 0
    assert tinyflash("compile", model, "--scheme", other, *compiling[4:]).returncode == 0
    assert "is stale" in tinyflash("flash", out, "--exit-after", "0").stderr


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_flash_refuses_a_time_that_is_none(tmp_path, seconds):
    done = tinyflash("flash", tmp_path, "--exit-after", seconds)
    assert done.returncode != 0
    assert "Invalid value for '--exit-after'" in done.stderr


def test_train_on_a_board_is_train_on_the_host(model, scheme, data, board, tmp_path):
    rest = ("--scheme", scheme, "--data", data, "--epochs", "1", "--rate", "0.1")
    for place in (board.name, "host"):
        done = tinyflash("train", model, *rest, "--board", place, "-o", tmp_path / place)
        assert done.returncode == 0, done.stderr
    a, b = (np.load(tmp_path / place / "learned.npz") for place in (board.name, "host"))
    assert all((a[name] == b[name]).all() for name in ("hash", "weights", "state"))
    courses = [
        json.loads((tmp_path / p / "training.json").read_text()) for p in (board.name, "host")
    ]
    assert courses[0]["losses"] == courses[1]["losses"]
    for place in (board.name, "host"):
        learned, exported = tmp_path / place / "learned.npz", tmp_path / f"{place}.tflite"
        done = tinyflash("export", model, *rest[:2], "--learned", learned, "-o", exported)
        assert done.returncode == 0, done.stderr
    assert exported.read_bytes() == (tmp_path / f"{board.name}.tflite").read_bytes()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for QEMU in /proc")
def test_train_whose_emulator_dies_says_so_and_writes_nothing(model, scheme, data, board, tmp_path):
    out = tmp_path / "out"
    command = [*TINYFLASH, "train", model, "--scheme", scheme, "--data", data, "-o", out]
    more = ["--board", board.name, "--epochs", "2000"]
    with subprocess.Popen(
        [*map(str, command), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        try:
            os.kill(emulator_of(training), signal.SIGKILL)
            _, said = training.communicate(timeout=60)
        finally:
            training.kill()
    assert training.returncode == 1
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: ")
    assert re.search("emulator was killed|serial line is gone", said)
    assert not (out / "learned.npz").exists()
    assert not (out / "training.json").exists()


def emulator_of(process):
    """The process id of the QEMU that `process` has started, once it has worked for a while."""
    while process.poll() is None:
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            try:
                stat = Path(f"/proc/{child}/stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended in the meantime
            name, figures = stat.rsplit(")", 1)
            if "qemu" in name and int(figures.split()[11]) > BUSY_TICKS:
                return int(child)
        time.sleep(0.02)  # leaves the processor to the two
    raise AssertionError(f"ended before: {process.stderr.read()}")


def test_a_board_is_evaluated_as_the_host_is(model, scheme, data, board, tmp_path):
    """What was learned, and the file as it is; no folder is left behind."""
    out = tmp_path / "out"
    learnt = ("--scheme", scheme, "--data", data)
    done = tinyflash("train", model, *learnt, "-o", out, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    for asked in ((*learnt, "--learned", out), ("--data", data)):
        found = []
        for where in (board.name, "host"):
            done = tinyflash("evaluate", model, *asked, "--board", where, "--json")
            assert done.returncode == 0, done.stderr
            found.append(json.loads(done.stdout))
            assert found[-1].pop("board") == where
        assert found[0] == found[1]
    assert found[0]["samples"] == 30
