"""Boards in Renode: by a stand-in how it starts and ends; where Renode is installed, all of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.renode.learn import ROOT, build, check_learns_as_the_host
from tests.support.commands import tinyflash
from tests.support.firmware import own_board
from tests.support.learner import learner

from tinyflash.boards import Board, boards, load_board
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.renode import RENODE, SCRIPT, Renode
from tinyflash.errors import BoardError
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.write.model import write_model

BOARDS = [board.name for board in boards() if (board.folder / SCRIPT).exists()]
INSTALLED = pytest.mark.skipif(not shutil.which(RENODE), reason="Renode is not installed")
RUNNER = pytest.mark.skipif(not shutil.which("renode-test"), reason="Renode is not installed")
REGISTER = re.compile(r"\((?:volatile uint32_t|stm32_\w+) \*\)(0x\w+)u")
CORES_OWN = range(0xE0000000, 0xE0100000)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A board with a script for Renode, for which a stand-in is on the PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    shutil.copy(Path(__file__).with_name("stand_in.py"), path / RENODE)
    (path / RENODE).chmod(0o755)
    monkeypatch.setenv("PATH", str(path), prepend=":")
    folder = own_board(tmp_path, "mine")
    (folder / SCRIPT).write_text("")
    return load_board(str(folder))


@pytest.fixture
def image(board: Board, tmp_path: Path) -> Path:
    write_model(learner(), tmp_path / "model")
    return build_firmware(tmp_path / "model", board, tmp_path / "out")


def test_a_session_runs_on_it(board: Board, image: Path) -> None:
    with Renode(board, image) as renode, DeviceSession(renode, learner().program) as device:
        assert device.weights == learner().program.weights
        assert renode.pid is not None
    assert renode.why_dead() == "the emulator is not running"


def test_flash_runs_it_there(board: Board, image: Path) -> None:
    arguments = ("--board", board.folder, "--renode", "--exit-after", "0.2")
    done = tinyflash("flash", image.parent, *arguments)
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"mine runs; its serial port is socket://127.0.0.1:\d+ .*\n", done.stdout)


def test_what_it_says_before_it_ends_is_the_error(board: Board, image: Path) -> None:
    (board.folder / SCRIPT).write_text("dies")
    with pytest.raises(BoardError, match=r"status 1 .*: there was an error executing the script"):
        Renode(board, image).__enter__()


def test_it_and_its_script_must_be_there(
    board: Board, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BoardError, match=r"board qemu_stm32f405 has no renode\.resc"):
        Renode(load_board("qemu_stm32f405"), image)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BoardError, match="Renode is missing; install"):
        Renode(board, image)


@pytest.mark.parametrize("name", BOARDS)
def test_the_platform_has_all_that_the_firmware_touches(name: str) -> None:
    """Each register in the sources of the board lies in a peripheral of its platform."""
    folder = load_board(name).folder
    platform = (folder / "renode.repl").read_text()
    starts = re.findall(r"@ sysbus <?(0x\w+)", platform)
    pages = {int(start, 16) & ~0x3FF for start in starts}
    parts = [ROOT / part for part in load_board(name).source_folders]
    text = "".join(path.read_text() for part in parts for path in part.rglob("*.[ch]"))
    touched = {int(address, 16) for address in REGISTER.findall(text)}
    outside = {at for at in touched if at not in CORES_OWN and not _has(pages, at)}
    assert touched
    assert not outside, [hex(at) for at in outside]


def _has(pages: set[int], address: int) -> bool:
    """Peripherals are 1 KB or 4 KB long, so one begins at its own or the next larger boundary."""
    return bool({address & ~0x3FF, address & ~0xFFF} & pages)


@INSTALLED
@pytest.mark.parametrize("name", BOARDS)
def test_a_board_learns_as_the_host(name: str, tmp_path: Path) -> None:
    with Renode(load_board(name), build(tmp_path, name)) as renode:
        check_learns_as_the_host(renode)


@RUNNER
def test_the_robot_test_passes(tmp_path: Path) -> None:
    command = ["renode-test", "-r", str(tmp_path), str(Path(__file__).with_name("learns.robot"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
