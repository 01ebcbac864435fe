"""The firmware with the model of this folder: on this computer under sanitizers, and on boards."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinyflash.boards import Board, boards
from tinyflash.build import build_firmware

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "link" / "model"
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
EMULATED = [board for board in boards() if board.emulated]


class PipePort:
    """A process on pipes, as the port that a Link wants."""

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin and self.process.stdout
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()

    def read(self, size: int) -> bytes:
        ready, _, _ = select.select([self._from], [], [], 0.05)
        return os.read(self._from, size) if ready else b""

    def write(self, data: bytes) -> int:
        while data:
            data = data[os.write(self._to, data) :]
        return 0

    @property
    def in_waiting(self) -> int:
        return 4096

    def close(self) -> None:
        """Ends the firmware; fails if a sanitizer had something to say."""
        _, complaints = self.process.communicate()
        assert self.process.returncode == 0, complaints.decode()


@pytest.fixture(scope="session")
def host_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("host") / "firmware"
    files = [p for folder in ("lib", "lib/kernels/ref", "firmware") for p in (ROOT / folder).glob("*.c")]
    files += [MODEL / "model.c", MODEL.parent / "host_board.c"]
    folders = [ROOT / name for name in ("include", "lib", "boards", "firmware")] + [MODEL]
    includes = [f"-I{folder}" for folder in folders]
    subprocess.run(["cc", "-std=c99", *SANITIZERS, *includes, *files, "-o", program], check=True)
    return program


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
def emulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    """Each emulated board, with the image of the test model for it."""
    board: Board = request.param
    return board, build_firmware(MODEL, board, tmp_path_factory.mktemp(board.name))
