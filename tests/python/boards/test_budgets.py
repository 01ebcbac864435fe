"""Code and stack of every file on a Cortex-M4 against tests/budgets.csv, and the flash of every
kernel of every set, with all that it calls, against tests/kernel_budgets.csv; printed at each run.

What is above its budget fails; a change that needs more says so by changing the budget.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tinyflash.boards import Board, boards, load_board
from tinyflash.boards.firmware import compile_objects
from tinyflash.boards.footprint.callgraph import defined_functions, read_call_graph
from tinyflash.boards.packs import PACKS
from tinyflash.paths import source_root
from tinyflash.sources import REFERENCE, kernel_sets, kernels_of

BUDGETS = source_root() / "tests" / "budgets.csv"
KERNEL_BUDGETS = source_root() / "tests" / "kernel_budgets.csv"
# Not of those that no board has: for PCs, and made of a pack.
ON_BOARDS = {name for board in boards() for name in board.kernels}
SETS = [name for name in kernel_sets(source_root()) if name in ON_BOARDS]
LINKER = "arm-none-eabi-ld"
BOARD = load_board("qemu_stm32f405")
NO_SET, FIRMWARE = "-", "firmware"


@dataclass(frozen=True)
class Cost:
    """Bytes of one file of the library; stack: the deepest chain of calls that begins in it.

    set: the kernel set that it is of, NO_SET, or FIRMWARE.
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
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Board], list[Path]]:
    """The objects of the library for a board, compiled once."""

    @cache
    def objects(board: Board) -> list[Path]:
        folder = compile_objects(board, tmp_path_factory.mktemp(board.name)) / "lib"
        files = (path for path in folder.rglob("*.o") if set_of(path) not in PACKS)  # not ours
        return sorted(files, key=lambda path: (set_of(path), path.stem))

    return objects


@pytest.fixture(scope="module")
def costs(library: Callable[[Board], list[Path]]) -> list[Cost]:
    objects = library(BOARD)
    graph = read_call_graph(objects)
    return [
        Cost(
            *(set_of(path), path.stem, code_bytes(path)),
            stack=max(map(graph.depth, defined_functions(path)), default=0),
        )
        for path in objects
    ]


def test_no_file_is_above_its_budget(costs: list[Cost]) -> None:
    allowed = {key: cost for key, cost in budgets().items() if cost.set != FIRMWARE}
    assert {c.key for c in costs} == set(allowed), "tests/budgets.csv names other files than lib/"
    print("\n  file                   code / budget   stack / budget")
    for cost in costs:
        budget = allowed[cost.key]
        print(f"  {cost!s:<22} {cost.code:>5} / {budget.code:<6} {cost.stack:>6} / {budget.stack}")
    above = [
        str(c) for c in costs if c.code > allowed[c.key].code or c.stack > allowed[c.key].stack
    ]
    assert not above, f"above budget: {above}"


def test_what_a_build_may_ask_for_is_not_above_its_budget(tmp_path: Path) -> None:
    """Collecting: its command without the ring, and the driver of an emulated sensor."""
    objects = compile_objects(BOARD, tmp_path, collect=4096)
    graph = read_call_graph(sorted(objects.rglob("*.o")))
    for cost in (cost for cost in budgets().values() if cost.set == FIRMWARE):
        (path,) = objects.rglob(f"{cost.file}.o")
        stack = max(map(graph.depth, defined_functions(path)))
        print(f"\n  {cost}: {code_bytes(path)} / {cost.code}, {stack} / {cost.stack}")
        assert code_bytes(path) <= cost.code
        assert stack <= cost.stack


def flash_of(function: str, objects: Sequence[Path], folder: Path) -> int:
    """Bytes of flash that the linker keeps if a program calls this function alone, without the C
    library."""
    linked = folder / f"{function}.elf"
    alone = ["--gc-sections", "--unresolved-symbols=ignore-all", "-e", function]
    subprocess.run([LINKER, *alone, "-o", linked, *objects], check=True)
    return code_bytes(linked)


@pytest.mark.parametrize("name", SETS)
def test_no_kernel_is_above_its_budget(
    name: str, library: Callable[[Board], list[Path]], tmp_path: Path
) -> None:
    """On a core that the set is for."""
    board = next(b for b in (BOARD, *boards()) if b.emulated and name in b.kernels)
    objects = library(board)
    suffix = "" if name == REFERENCE else f"_{name}"
    flash = {
        kernel: flash_of(f"tiny_op_{kernel}{suffix}", objects, tmp_path)
        for kernel in sorted(kernels_of(source_root(), name))
    }
    with KERNEL_BUDGETS.open() as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    allowed = {row["kernel"]: int(row["flash"]) for row in rows}
    print("\n".join(f"{name},{kernel},{-(-size // 16) * 16}" for kernel, size in flash.items()))
    assert flash.keys() == allowed.keys(), "tests/kernel_budgets.csv names other kernels"
    above = [f"{kernel}: {size}" for kernel, size in flash.items() if size > allowed[kernel]]
    assert not above, f"above budget: {above}"
