"""Code and stack of every kernel on a Cortex-M4 against tests/budgets.csv; printed at each run.

A kernel above its budget fails; a change that needs more says so by changing the budget.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tinyflash.paths import source_root

ROOT = source_root()
BUDGETS = ROOT / "tests" / "budgets.csv"
COMPILER = "arm-none-eabi-gcc"
FLAGS = [
    "-mcpu=cortex-m4",
    "-mthumb",
    "-std=c99",
    "-O2",
    "-ffunction-sections",
    "-fstack-usage",
    "-c",
]


@dataclass(frozen=True)
class Cost:
    """Bytes of one file of the library; stack: all its frames, which bounds any chain of calls."""

    file: str
    code: int
    stack: int


def compile_file(source: Path, folder: Path) -> Cost:
    target = folder / source.with_suffix(".o").name
    include = [f"-I{ROOT / name}" for name in ("include", "lib")]
    subprocess.run([COMPILER, *FLAGS, *include, str(source), "-o", str(target)], check=True)
    with target.open("rb") as file:
        sections = [
            s for s in ELFFile(file).iter_sections() if s.name.startswith((".text", ".rodata"))
        ]
        code = sum(s["sh_size"] for s in sections)
    rows = [line.split("\t") for line in target.with_suffix(".su").read_text().splitlines()]
    assert {row[2] for row in rows} <= {"static"}, f"{source.name}: stack of unknown size"
    return Cost(source.stem, code, sum(int(row[1]) for row in rows))


def budgets() -> dict[str, Cost]:
    with BUDGETS.open() as file:
        rows = [(r["file"], int(r["code"]), int(r["stack"])) for r in csv.DictReader(file)]
    return {row[0]: Cost(*row) for row in rows}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[Cost]:
    assert shutil.which(COMPILER), f"{COMPILER} is missing; ./run installs it"
    folder = tmp_path_factory.mktemp("budgets")
    sources = [*(ROOT / "lib").glob("*.c"), *(ROOT / "lib" / "kernels" / "ref").glob("*.c")]
    return [compile_file(source, folder) for source in sorted(sources)]


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
