"""The firmware with the model of this folder: on this computer under sanitizers, and on boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.firmware import MODEL, ROOMY, build_for_host, with_guard
from tests.support.learner import learner
from tests.support.pairing import settings
from tests.support.pipes import PipePort

from tinyflash.boards import Board
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession


@pytest.fixture(scope="session")
def host_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_for_host(MODEL, tmp_path_factory.mktemp("host") / "firmware")


@pytest.fixture(scope="session")
def paired(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The settings of firmware with a pairing key: the same ones, so that objects are shared."""
    return settings(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session", name="learner")
def _learner() -> Compiled:
    return learner()


@pytest.fixture(scope="session")
def guarded_firmware(learner: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the learner, and room for held-out samples."""
    return with_guard(learner, tmp_path_factory.mktemp("learner"))


@pytest.fixture
def ports() -> Iterator[list[PipePort]]:
    """What firmware runs on this computer. At the end it ends, unless it has; a sanitizer may have
    something to say then."""
    running: list[PipePort] = []
    yield running
    for port in running:
        port.finish()


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


@pytest.fixture(scope="session", params=ROOMY, ids=lambda board: board.name)
def emulated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Board, Path]:
    """Each emulated board, with the image of the test model for it."""
    board: Board = request.param
    return board, build_firmware(MODEL, board, tmp_path_factory.mktemp(board.name))
