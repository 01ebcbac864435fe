"""--port: train and infer on a board that runs already; own boards by their folder."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.firmware import build_for_host, own_board
from tests.support.lines import on_a_rated_terminal, on_a_socket, on_a_terminal
from tests.support.rates import build as build_rated

from tinyflash.boards import load_board
from tinyflash.boards.firmware import build_firmware, firmware_board

LINES = {"terminal": on_a_terminal, "socket": on_a_socket}
SCHEME = "head = 3\n[[update]]\nlast = 2\nbias = true\nweights = 0.5\n"


@pytest.fixture(scope="module")
def files(model, samples, tmp_path_factory):
    """A scheme, samples, and the firmware of this computer, whose board is called host."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "scheme.toml").write_text(SCHEME)
    np.savez(folder / "data.npz", x=samples.x, y=samples.y)
    np.save(folder / "x.npy", samples.x[:5])
    scheme = ("--scheme", folder / "scheme.toml")
    assert tinyflash("compile", model, *scheme, "-o", folder / "out").exit_code == 0
    build_for_host(folder / "out", folder / "firmware")
    return folder


def training(model, files, out, *more):
    rest = ("--data", files / "data.npz", "--epochs", "1", "--rate", "0.1", "-o", out)
    return "train", model, "--scheme", files / "scheme.toml", *rest, *more


def infer(model, files, out, *more):
    scheme = ("--scheme", files / "scheme.toml")
    return "infer", model, files / "x.npy", *scheme, "-o", out, *more


@pytest.mark.parametrize("line", LINES)
def test_training_on_a_port_is_training_on_the_host(model, files, line, tmp_path):
    done = tinyflash(*training(model, files, tmp_path / "host"))
    assert done.exit_code == 0, done.output
    with LINES[line](files / "firmware") as port:
        done = tinyflash(*training(model, files, tmp_path / "port", "--port", port))
        assert done.exit_code == 0, done.output
    a, b = (np.load(tmp_path / place / "learned.npz") for place in ("host", "port"))
    assert all((a[name] == b[name]).all() for name in a)
    records = [json.loads((tmp_path / p / "training.json").read_text()) for p in ("host", "port")]
    assert records[0]["losses"] == records[1]["losses"]
    assert records[1]["board"] == "host"  # what its firmware says
    assert not (tmp_path / "port" / "firmware").exists()  # nothing was built


def test_a_board_infers_with_what_it_has_learned_and_trains_anew(model, files, tmp_path):
    """Three commands, one board: each but the last leaves it as it is."""
    before, after = tmp_path / "before.npy", tmp_path / "after.npy"
    with on_a_terminal(files / "firmware") as port:
        done = tinyflash(*infer(model, files, before, "--port", port))
        assert done.exit_code == 0, done.output
        done = tinyflash(*training(model, files, tmp_path / "first", "--port", port))
        assert done.exit_code == 0, done.output
        assert "had learned" not in done.output
        done = tinyflash(*infer(model, files, after, "--port", port))
        assert done.exit_code == 0, done.output
        done = tinyflash(*training(model, files, tmp_path / "again", "--port", port))
        assert "had learned in 24 steps; this run starts anew" in done.output
    host = tmp_path / "host.npy"
    assert tinyflash(*infer(model, files, host)).exit_code == 0
    assert np.array_equal(np.load(before), np.load(host))
    assert np.load(host).shape == (5, 3)  # of the scheme's head
    assert not np.array_equal(np.load(before), np.load(after))
    first, again = (np.load(tmp_path / p / "learned.npz") for p in ("first", "again"))
    assert all((first[name] == again[name]).all() for name in first)


def test_the_board_need_not_be_named(model, files, tmp_path):
    """Its kernels need scratch, and so another arena than the host's; the bytes are the same."""
    scheme, out = ("--scheme", files / "scheme.toml"), tmp_path / "out"
    done = tinyflash("compile", model, *scheme, "--board", "qemu_stm32f405", "-o", out)
    assert done.exit_code == 0, done.output
    arenas = [
        json.loads((f / "report.json").read_text())["arena_bytes"] for f in (files / "out", out)
    ]
    assert arenas[0] < arenas[1]
    assert tinyflash(*training(model, files, tmp_path / "host")).exit_code == 0
    with on_a_socket(build_for_host(out, tmp_path / "firmware")) as port:
        done = tinyflash(*training(model, files, tmp_path / "port", "--port", port))
        assert done.exit_code == 0, done.output
    a, b = (np.load(tmp_path / place / "learned.npz") for place in ("host", "port"))
    assert all((a[name] == b[name]).all() for name in a)


def test_the_rate_of_a_port_is_raised(model, files, tmp_path):
    """As far as the line carries it, or the user allows it."""
    program = build_rated(files / "out", files / "rated")
    for name, carries, more, rates in (
        ("good", 1 << 31, (), [115_200, 2_000_000]),
        ("bad", 1_000_000, (), [115_200, 2_000_000, 115_200, 1_000_000]),
        ("asked", 1 << 31, ("--baud", "500000"), [115_200, 460_800]),
        ("first", 1 << 31, ("--baud", "115200"), [115_200]),
    ):
        with on_a_rated_terminal(program, carries) as (port, line):
            done = tinyflash(*training(model, files, tmp_path / name, "--port", port, *more))
            assert done.exit_code == 0, done.output
            assert line.heard == rates
        tried = "does not carry 2,000,000 baud; it runs at 1,000,000; --baud 1000000 leaves out"
        assert (tried in done.output) == (name == "bad")
    first = np.load(tmp_path / "good" / "learned.npz")
    for name in ("bad", "asked", "first"):
        other = np.load(tmp_path / name / "learned.npz")
        assert all((first[key] == other[key]).all() for key in first)
    assert "is not in the range" in refused("save", "--port", "x", "--baud", "9600")


@pytest.mark.parametrize("url", ["/dev/no-such-port", "socket://127.0.0.1:1", "nonsense://x", ""])
def test_a_port_that_is_none_is_one_line(model, files, url, tmp_path):
    for command in (training, infer):
        assert "cannot be opened" in refused(*command(model, files, tmp_path / "o", "--port", url))


def test_a_board_is_evaluated_with_what_it_has_learned(model, files, tmp_path):
    evaluate = ("evaluate", model, "--scheme", files / "scheme.toml", "--data", files / "data.npz")
    with on_a_terminal(files / "firmware") as port:
        tinyflash(*training(model, files, tmp_path / "run", "--port", port))
        done = tinyflash(*evaluate, "--json", "--port", port)
        assert done.exit_code == 0, done.output
    host = tinyflash(*evaluate, "--json", "--learned", tmp_path / "run")
    assert json.loads(done.stdout) == json.loads(host.stdout)


def test_another_program_on_the_port_is_one_line(model, files, tmp_path):
    with on_a_socket(files / "firmware") as port:
        other = tinyflash("infer", model, files / "x.npy", "-o", tmp_path / "y", "--port", port)
    assert "not the program with hash" in other.stderr
    assert len(other.stderr.splitlines()) == 1


def test_the_board_on_the_port_is_the_one_that_is_named(model, files, tmp_path):
    mine = own_board(tmp_path, "host")
    with on_a_terminal(files / "firmware") as port:
        known = (*infer(model, files, tmp_path / "y.npy", "--port", port), "--board")
        assert tinyflash(*known, mine).exit_code == 0
        said = refused(*known, "qemu_stm32f405")
    assert "was built for board 'host', not 'qemu_stm32f405'" in said


def test_an_own_board_from_compile_to_train(model, files, tmp_path):
    """As typed: its folder is given to each command, and nothing of tinyflash is written to."""
    mine, out = own_board(tmp_path, "mine"), tmp_path / "out"
    scheme = ("--scheme", files / "scheme.toml")
    done = tinyflash("compile", model, *scheme, "--board", mine, "-o", out)
    assert done.exit_code == 0, done.output
    assert "pass --board" in refused("build", out)
    done = tinyflash("build", out, "--board", f"{mine}/")
    assert done.exit_code == 0, done.output
    assert "is unknown" in refused("flash", out)
    command = [sys.executable, "-m", "tinyflash", "flash", out, "--board", mine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flash:
        try:
            port = re.search(r"socket://\S+", flash.stdout.readline())[0]
            done = tinyflash(*training(model, files, tmp_path / "port", "--port", port))
            assert done.exit_code == 0, done.output
        finally:
            flash.kill()
    done = tinyflash(*training(model, files, tmp_path / "emulated", "--board", mine))
    assert done.exit_code == 0, done.output
    records = [
        json.loads((tmp_path / p / "training.json").read_text()) for p in ("port", "emulated")
    ]
    assert records[0]["losses"] == records[1]["losses"]
    assert [r["board"] for r in records] == ["mine", "mine"]


def test_an_own_board_whose_board_c_has_another_name(files, tmp_path):
    mine = own_board(tmp_path, "mine", called="theirs")
    said = refused("build", files / "out", "--board", mine)
    assert "its image has board_name = 'theirs', its folder is 'mine'" in said
    assert not (files / "out" / "firmware.elf").exists()
    elf = build_firmware(files / "out", load_board(str(own_board(tmp_path, "other"))), tmp_path)
    assert firmware_board(elf) == "other"
    said = refused("flash", tmp_path, "--board", mine)
    assert "was built for board other, not mine" in said


@pytest.mark.parametrize("kind", ["nothing", "empty", "bad name"])
def test_a_folder_that_is_no_board(files, kind, tmp_path):
    folder = tmp_path / ("my board" if kind == "bad name" else "mine")
    if kind != "nothing":
        folder.mkdir()
    if kind == "bad name":
        shutil.copy(load_board("qemu_stm32f405").folder / "board.toml", folder)
    said = refused("build", files / "out", "--board", folder)
    why = {"nothing": "is unknown; choose one of", "empty": "No such file", "bad name": "up to 63"}
    assert why[kind] in said
