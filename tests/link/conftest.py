"""The firmware with the model of this folder: on this computer under sanitizers, and on boards."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.link.pipes import PipePort

from tinyflash.boards import Board, boards
from tinyflash.build import build_firmware

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "link" / "model"
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
EMULATED = [board for board in boards() if board.emulated]


def build_for_host(model: Path, program: Path) -> Path:
    """Firmware with the model in a folder, as a program of this computer."""
    files = [*(ROOT / "firmware").glob("*.c"), ROOT / "lib" / "executor.c"]
    files += [model / "model.c", MODEL.parent / "host_board.c"]
    folders = [ROOT / name for name in ("include", "lib", "boards", "firmware")] + [model]
    includes = [f"-I{folder}" for folder in folders]
    subprocess.run(["cc", "-std=c99", *SANITIZERS, *includes, *files, "-o", program], check=True)
    return program


@pytest.fixture(scope="session")
def host_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_for_host(MODEL, tmp_path_factory.mktemp("host") / "firmware")


@pytest.fixture
def start(host_firmware: Path) -> Iterator[Callable[[], PipePort]]:
    """Starts firmware on this computer; what still runs at the end is killed."""
    ports: list[PipePort] = []

    def begin() -> PipePort:
        ports.append(PipePort(host_firmware))
        return ports[-1]

    yield begin
    for port in ports:
        port.process.kill()
        port.process.communicate()


@pytest.fixture(scope="session", params=EMULATED, ids=lambda board: board.name)
def emulated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Board, Path]:
    """Each emulated board, with the image of the test model for it."""
    board: Board = request.param
    return board, build_firmware(MODEL, board, tmp_path_factory.mktemp(board.name))
