"""Code and stack of every kernel on a Cortex-M4 against tests/budgets.csv; printed at each run.

A kernel above its budget fails; a change that needs more says so by changing the budget.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tinyflash.boards import load_board
from tinyflash.footprint.callgraph import defined_functions, read_call_graph
from tinyflash.footprint.compiled import compile_without_model
from tinyflash.paths import source_root

BUDGETS = source_root() / "tests" / "budgets.csv"
BOARD = load_board("qemu_stm32f405")


@dataclass(frozen=True)
class Cost:
    """Bytes of one file of the library; stack: the deepest chain of calls that begins in it."""

    file: str
    code: int
    stack: int


def code_bytes(path: Path) -> int:
    with path.open("rb") as file:
        code = [s for s in ELFFile(file).iter_sections() if s.name.startswith((".text", ".rodata"))]
        return sum(int(section["sh_size"]) for section in code)


def budgets() -> dict[str, Cost]:
    with BUDGETS.open() as file:
        rows = [(r["file"], int(r["code"]), int(r["stack"])) for r in csv.DictReader(file)]
    return {row[0]: Cost(*row) for row in rows}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[Cost]:
    library = compile_without_model(BOARD, tmp_path_factory.mktemp("budgets")) / "lib"
    objects = sorted(library.rglob("*.o"), key=lambda path: path.stem)
    graph = read_call_graph(objects)
    return [
        Cost(path.stem, code_bytes(path), max(map(graph.depth, defined_functions(path))))
        for path in objects
    ]


def test_no_file_is_above_its_budget(costs: list[Cost]) -> None:
    allowed = budgets()
    assert {c.file for c in costs} == set(allowed), "tests/budgets.csv names other files than lib/"
    print("\n  file               code / budget   stack / budget")
    for cost in costs:
        budget = allowed[cost.file]
        print(
            f"  {cost.file:<18} {cost.code:>5} / {budget.code:<6} {cost.stack:>6} / {budget.stack}"
        )
    above = [
        c.file for c in costs if c.code > allowed[c.file].code or c.stack > allowed[c.file].stack
    ]
    assert not above, f"above budget: {above}"
