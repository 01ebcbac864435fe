"""Kernels of faster sets give the bytes of the numpy reference for random shapes and codings, on
the core that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lib.build import run_on_board, run_on_host
from tests.lib.emit import batches, write_batch
from tests.lib.random_cases import random_cases

from tinyflash.boards import Board, boards
from tinyflash.boards.packs import PACKS
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets, kernels_of

KERNELS = [
    (name, kernel)
    for name in kernel_sets(source_root())
    if name not in (REFERENCE, *PACKS)  # test_cmsis_nn.py
    for kernel in sorted(kernels_of(source_root(), name))
]


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> int:
    """Cases of each kernel."""
    asked = request.config.getoption("--random-cases")
    assert isinstance(asked, int)
    return asked


def board_of(name: str) -> Board | None:
    """An emulated board for a kernel set; None of the set for PCs."""
    return next((board for board in boards() if board.emulated and name in board.kernels), None)


@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS}))
def test_random_cases(name: str, count: int, tmp_path: Path) -> None:
    """On a board, and on the host under sanitizers: the set for PCs, and C twins of others."""
    board = board_of(name)
    kernels = [kernel for of, kernel in KERNELS if of == name]
    cases = (case for kernel in kernels for case in random_cases(name, kernel, count, seed=0))
    ran = 0
    for index, batch in enumerate(batches(cases)):
        folder = tmp_path / str(index)
        write_batch(batch, folder)
        on_board = [] if board is None else [run_on_board(folder, board)]
        for outcome in (*on_board, run_on_host(folder)):
            assert outcome.status == 0, outcome.text
        ran += len(batch)
    assert ran == count * len(kernels)
