"""Runs random cases of a family of kernels, of all sets at once, wherever the sets run."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.lib.build import ROOT, Outcome, build_for_board, build_for_host, run
from tests.lib.random_cases import Number, RandomCase, case_of, random_cases
from tests.lib.random_subjects import FAMILIES
from tests.lib.stream import Layouts, layouts, tables, words_of

from tinyflash.boards import Board
from tinyflash.sources import kernels_of, library_sources

FILE = "cases.bin"
SECONDS_PER_CASE = 0.05
SAMPLES = 100  # of each operator: among them are all fields of a record
SOURCES = ("run_random.c", "case_file.c")


def write_streams(
    family: str, names: Sequence[str], count: int, seed: int, folder: Path
) -> Mapping[str, int]:
    """The file of each set, in a folder of its name; the number of cases in each."""
    kernels = {name: list(_table(name)[0]) for name in names}
    counts = dict.fromkeys(names, 0)
    files = {}
    for name in names:
        (folder / name).mkdir(parents=True)
        files[name] = (folder / name / FILE).open("wb")
    for case, wanted in random_cases(family, names, count, seed):
        for name in wanted:
            kernel = kernels[name].index(case.plan.kernel)
            fields = _table(name)[1][case.plan.ctype]
            files[name].write(words_of(case, fields, kernel, case.scratch[name]))
            counts[name] += 1
    for file in files.values():
        file.close()
    return counts


def known_kernels(name: str) -> set[str]:
    """Those of a set that some family has."""
    beginnings = tuple(b for family in FAMILIES.values() for b in family.kernels)
    return {kernel for kernel in kernels_of(ROOT, name) if kernel.startswith(beginnings)}


def run_stream(folder: Path, name: str, count: int, board: Board | None = None) -> Outcome:
    """Of a set, on a board or on this computer under sanitizers."""
    return run(program_of(name, board), folder / name, board, 60 + SECONDS_PER_CASE * count)


@cache
def program_of(name: str, board: Board | None) -> Path:
    """Once in each process."""
    folder = Path(tempfile.mkdtemp(prefix=f"tinyflash-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "random_kernels.h").write_text(tables(name, *_table(name)))
    sources = [*library_sources(ROOT), *(ROOT / "tests" / "lib" / f for f in SOURCES)]
    return build_for_board(sources, folder, board) if board else build_for_host(sources, folder)


@cache
def _table(name: str) -> tuple[dict[str, str], Layouts]:
    """The kernels of a set with the types of their records, and the fields of these."""
    draws = (random_cases(family, [name], SAMPLES, seed=0) for family in FAMILIES)
    cases = [case for drawn in draws for case, _ in drawn]
    types = {case.plan.kernel: case.plan.ctype for case in cases}
    return dict(sorted(types.items())), layouts(cases)


def told(outcome: Outcome, family: str, names: Sequence[str], seed: int) -> str:
    """What went wrong, with the cases in full."""
    lines = [line for line in outcome.text.splitlines() if not line.startswith(("FAILED", "STOP"))]
    for draw, node, at, got, want in re.findall("FAILED" + r" (\d+)" * 5, outcome.text):
        case = case_of(family, names, seed, Number(int(draw), int(node)))
        lines += [f"{case.title}: {_place(case, int(at))} is {got}, not {want}", _shown(case)]
    for draw, node in re.findall(r"STOPPED (\d+) (\d+)", outcome.text):
        case = case_of(family, names, seed, Number(int(draw), int(node)))
        lines += [f"{case.title}: the program stopped", _shown(case)]
    return "\n".join(lines)


def _shown(case: RandomCase) -> str:
    """All of a case, except its state: it is the same one for the same seed and number."""
    parts = dict(zip(case.plan.roles, case.buffers, strict=True)), case.fills, case.fields
    return f"  rows {case.band}, {case.memory} bytes, scratch {case.scratch}\n" + "\n".join(
        f"  {part}" for part in parts
    )


def _place(case: RandomCase, at: int) -> str:
    """The tensor that has a byte."""
    if at >= case.memory:
        return f"byte {at - case.memory} of the scratch, behind its end,"
    roles = zip(case.plan.roles, case.buffers, strict=True)
    before = [(offset, role) for role, offset in roles if offset is not None and offset <= at]
    offset, role = max(before, default=(0, "memory"))
    return f"byte {at - offset} of {role}, or behind it,"
