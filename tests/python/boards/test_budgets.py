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
from tinyflash.boards.firmware import compile_objects
from tinyflash.boards.footprint.callgraph import defined_functions, read_call_graph
from tinyflash.boards.packs import PACKS
from tinyflash.paths import source_root

BUDGETS = source_root() / "tests" / "budgets.csv"
BOARD = load_board("qemu_stm32f405")
NO_SET = "-"


@dataclass(frozen=True)
class Cost:
    """Bytes of one file of the library; stack: the deepest chain of calls that begins in it.

    set: the kernel set that it is of, or NO_SET.
    """

    set: str
    file: str
    code: int
    stack: int

    @property
    def key(self) -> tuple[str, str]:
        return self.set, self.file

    def __str__(self) -> str:
        return self.file if self.set == NO_SET else f"{self.set}/{self.file}"


def code_bytes(path: Path) -> int:
    with path.open("rb") as file:
        code = [s for s in ELFFile(file).iter_sections() if s.name.startswith((".text", ".rodata"))]
        return sum(int(section["sh_size"]) for section in code)


def set_of(path: Path) -> str:
    """Of an object in lib/ or lib/kernels/set/."""
    return path.parent.name if path.parent.parent.name == "kernels" else NO_SET


def budgets() -> dict[tuple[str, str], Cost]:
    with BUDGETS.open() as file:
        rows = list(csv.DictReader(file))
    costs = [Cost(r["set"], r["file"], int(r["code"]), int(r["stack"])) for r in rows]
    return {cost.key: cost for cost in costs}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[Cost]:
    library = compile_objects(BOARD, tmp_path_factory.mktemp("budgets")) / "lib"
    files = (path for path in library.rglob("*.o") if set_of(path) not in PACKS)  # not ours
    objects = sorted(files, key=lambda path: (set_of(path), path.stem))
    graph = read_call_graph(objects)
    return [
        Cost(
            *(set_of(path), path.stem, code_bytes(path)),
            stack=max(map(graph.depth, defined_functions(path)), default=0),
        )
        for path in objects
    ]


def test_no_file_is_above_its_budget(costs: list[Cost]) -> None:
    allowed = budgets()
    assert {c.key for c in costs} == set(allowed), "tests/budgets.csv names other files than lib/"
    print("\n  file                   code / budget   stack / budget")
    for cost in costs:
        budget = allowed[cost.key]
        print(f"  {cost!s:<22} {cost.code:>5} / {budget.code:<6} {cost.stack:>6} / {budget.stack}")
    above = [
        str(c) for c in costs if c.code > allowed[c.key].code or c.stack > allowed[c.key].stack
    ]
    assert not above, f"above budget: {above}"
