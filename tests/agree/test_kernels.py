"""Every kernel gives the bytes of the numpy reference: on the host, and on every emulated board."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.lib.build import M0, run_on_board, run_on_host
from tests.lib.case import Case
from tests.lib.cases import all_cases
from tests.lib.emit import batches, spoiled, write_batch
from tests.lib.pc_cases import pc_cases
from tests.lib.row_cases import row_cases
from tests.lib.rows import BUFFERS
from tests.support.firmware import LARGE

from tinyflash.boards import Board
from tinyflash.boards.packs import PACKS
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets, kernels_of

# test_cmsis_nn.py has those that are made of a pack.
SETS = [name for name in kernel_sets(source_root()) if name not in PACKS]
PCS = "host"


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> list[Case]:
    some = re.compile(request.config.getoption("--kernel-cases"))
    return [case for case in (*all_cases(), *row_cases()) if some.search(case.row.kernel)]


@pytest.fixture(scope="module")
def programs(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The folders of all programs of cases, by kernel set."""
    return written(cases, tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="module")
def sampled(
    cases: list[Case],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Path]]:
    """The same of a third of the cases of each kernel, for boards: the host has them all."""
    every = 1 if request.config.getoption("--all-kernel-cases") else 3
    return written(cases, tmp_path_factory.mktemp("sampled"), every)


def by_kernel(cases: list[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.row.kernel, []).append(case)
    return found


def written(cases: list[Case], root: Path, every: int = 1) -> dict[str, list[Path]]:
    folders: dict[str, list[Path]] = {}
    for name in SETS:
        own = cases if name == REFERENCE else [c for case in cases if (c := case.by(name))]
        folders[name] = []
        some = [case for found in by_kernel(own).values() for case in found[::every]]
        for index, batch in enumerate(batches(some)):
            folders[name].append(root / f"{name}_{index}")
            write_batch(batch, folders[name][-1])
    return folders


def test_every_kernel_has_cases(cases: list[Case]) -> None:
    assert {case.row.kernel for case in cases} == set(BUFFERS)
    assert len({case.name for case in cases}) > 1000


def test_every_kernel_of_a_set_has_cases(cases: list[Case]) -> None:
    for name in set(SETS) - {REFERENCE}:
        own = {c.row.kernel for case in cases if (c := case.by(name))}
        assert own == kernels_of(source_root(), name)


@pytest.mark.parametrize("name", SETS)
def test_on_the_host_under_sanitizers(programs: dict[str, list[Path]], name: str) -> None:
    """Of a set for other machines, the C twins."""
    for program in programs[name]:
        outcome = run_on_host(program)
        assert outcome.status == 0, outcome.text


def test_the_set_for_pcs_at_its_limits(tmp_path: Path) -> None:
    own = (c for case in pc_cases() if (c := case.by(PCS)))
    for index, batch in enumerate(batches(own)):
        write_batch(batch, tmp_path / str(index))
        outcome = run_on_host(tmp_path / str(index))
        assert outcome.status == 0, outcome.text


@pytest.mark.parametrize("flag", ["-DTINY_HOST_AVX2=0", "-DTINY_HOST_PLAIN"])
def test_the_set_for_pcs_without_its_instructions(
    cases: list[Case], tmp_path: Path, flag: str
) -> None:
    """As on a computer without AVX2, and as another compiler than GCC and Clang sees it."""
    own = by_kernel([mine for case in cases if (mine := case.by(PCS))])
    some = [case for found in own.values() for case in found[:: -(-len(found) // 5)]]
    write_batch(some, tmp_path / "batch")
    outcome = run_on_host(tmp_path / "batch", flag)
    assert outcome.status == 0, outcome.text


@pytest.mark.parametrize(
    ("board", "name"),
    [(board, name) for board in (*LARGE, M0) for name in board.kernels],
    ids=lambda value: getattr(value, "name", value),
)
def test_on_a_board(sampled: dict[str, list[Path]], board: Board, name: str) -> None:
    for program in sampled[name]:
        outcome = run_on_board(program, board)
        assert outcome.status == 0, outcome.text


def test_a_wrong_byte_is_noticed(cases: list[Case], tmp_path: Path) -> None:
    write_batch([*cases[:4], spoiled(cases[4])], tmp_path / "batch")
    outcome = run_on_host(tmp_path / "batch")
    assert outcome.status == 1
    assert f"FAILED {spoiled(cases[4]).name}" in outcome.text
    assert "host: 4 of 5 kernel cases passed" in outcome.text
