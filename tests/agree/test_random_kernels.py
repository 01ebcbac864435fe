"""Kernels of faster sets give the bytes of `ref` for random layers, codings, data and memories, on
the cores that they are for, and their C twins on the host.

`ref` itself is held against numpy in test_kernels.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.lib.random_runs import known_kernels, run_stream, told, write_streams
from tests.lib.random_subjects import FAMILIES

from tinyflash.boards import Board, boards
from tinyflash.boards.packs import PACKS
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets, kernels_of

# test_cmsis_nn.py has those that are made of a pack.
SETS = [name for name in kernel_sets(source_root()) if name not in (REFERENCE, *PACKS)]


def boards_of(name: str) -> list[Board]:
    """None while coverage is measured, which is that of the host."""
    if "TINYFLASH_MEASURED" in os.environ:
        return []
    return [board for board in boards() if board.emulated and name in board.kernels]


def test_every_kernel_of_a_set_has_a_family() -> None:
    for name in SETS:
        assert known_kernels(name) == kernels_of(source_root(), name)


@pytest.mark.parametrize("family", FAMILIES)
def test_random_cases(family: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Under sanitizers on the host, which has to compute the same bytes by `ref` as a board has."""
    count, seed = (request.config.getoption(f"--random-{what}") for what in ("cases", "seed"))
    only = request.config.getoption("--kernel-set")
    sets = [name for name in SETS if only in ("", name)]
    counts = write_streams(family, sets, count, seed, tmp_path)
    for name in sets:
        digests = set()
        for board in (None, *boards_of(name)):
            outcome = run_stream(tmp_path, name, counts[name], board)
            assert outcome.status == 0, told(outcome, family, sets, seed)
            found = re.search(r"^ran (\d+) digest (\d+)$", outcome.text, re.MULTILINE)
            assert found, outcome.text
            assert int(found[1]) == counts[name]
            digests.add(found[2])
        assert len(digests) == 1
        assert count <= counts[name] < count + 10 or not counts[name]
