"""The firmware with the model of this folder: on this computer under sanitizers, and on boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.compilers import compile_program
from tests.support.learner import learner
from tests.support.pipes import PipePort

from tinyflash.boards import Board, boards
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "firmware" / "model"
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
GUARD_SAMPLES = 7
EMULATED = [board for board in boards() if board.emulated]


def build_for_host(model: Path, program: Path, *settings: str) -> Path:
    """The firmware with the model of a folder, for this computer, under sanitizers."""
    files = [*library_sources(ROOT), *sorted((ROOT / "firmware").rglob("*.c"))]
    files += [model / "model.c", MODEL.parent / "host_board.c"]
    folders = [ROOT / name for name in ("include", "lib", "boards", "firmware")] + [model]
    includes = [f"-I{folder}" for folder in folders]
    compile_program(["cc", "-std=c99", *SANITIZERS, *settings, *includes], files, program)
    return program


@pytest.fixture(scope="session")
def host_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_for_host(MODEL, tmp_path_factory.mktemp("host") / "firmware")


@pytest.fixture(scope="session", name="learner")
def _learner() -> Compiled:
    return learner()


@pytest.fixture(scope="session")
def guarded_firmware(learner: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the learner, and room for held-out samples."""
    return with_guard(learner, tmp_path_factory.mktemp("learner"))


def with_guard(compiled: Compiled, folder: Path) -> Path:
    """The firmware of a model, with room for held-out samples."""
    write_model(compiled, folder)
    return build_for_host(folder, folder / "firmware", f"-DGUARD_SAMPLES={GUARD_SAMPLES}")


@pytest.fixture
def ports() -> Iterator[list[PipePort]]:
    """What firmware runs on this computer; at the end it is killed."""
    running: list[PipePort] = []
    yield running
    for port in running:
        port.process.kill()
        port.process.communicate()


@pytest.fixture
def start(host_firmware: Path, ports: list[PipePort]) -> Callable[[], PipePort]:
    """Starts firmware on this computer."""

    def begin() -> PipePort:
        ports.append(PipePort(host_firmware))
        return ports[-1]

    return begin


@pytest.fixture
def guarded(guarded_firmware: Path, ports: list[PipePort]) -> DeviceSession:
    """The learner at work on this computer."""
    ports.append(PipePort(guarded_firmware))
    return DeviceSession(Link(ports[-1]))


@pytest.fixture(scope="session", params=EMULATED, ids=lambda board: board.name)
def emulated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Board, Path]:
    """Each emulated board, with the image of the test model for it."""
    board: Board = request.param
    return board, build_firmware(MODEL, board, tmp_path_factory.mktemp(board.name))
