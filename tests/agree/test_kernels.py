"""Every kernel gives the bytes of the numpy reference: on the host, and on every emulated board."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lib.build import run_on_board, run_on_host
from tests.lib.case import Case
from tests.lib.cases import all_cases
from tests.lib.emit import batches, spoiled, write_batch
from tests.lib.row_cases import row_cases
from tests.lib.rows import BUFFERS

from tinyflash.boards import Board, boards

EMULATED = [board for board in boards() if board.emulated]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [*all_cases(), *row_cases()]


@pytest.fixture(scope="module")
def programs(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of all programs of cases."""
    root = tmp_path_factory.mktemp("kernels")
    folders = []
    for index, batch in enumerate(batches(cases)):
        folders.append(root / f"batch_{index}")
        write_batch(batch, folders[-1])
    return folders


def test_every_kernel_has_cases(cases: list[Case]) -> None:
    assert {case.row.kernel for case in cases} == set(BUFFERS)
    assert len({case.name for case in cases}) > 1000


def test_on_the_host_under_sanitizers(programs: list[Path]) -> None:
    for program in programs:
        outcome = run_on_host(program)
        assert outcome.status == 0, outcome.text


@pytest.mark.parametrize("board", EMULATED, ids=lambda board: board.name)
def test_on_a_board(programs: list[Path], board: Board) -> None:
    for program in programs:
        outcome = run_on_board(program, board)
        assert outcome.status == 0, outcome.text


def test_a_wrong_byte_is_noticed(cases: list[Case], tmp_path: Path) -> None:
    write_batch([*cases[:4], spoiled(cases[4])], tmp_path / "batch")
    outcome = run_on_host(tmp_path / "batch")
    assert outcome.status == 1
    assert f"FAILED {spoiled(cases[4]).name}" in outcome.text
    assert "host: 4 of 5 kernel cases passed" in outcome.text
