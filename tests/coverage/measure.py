"""Runs the tests with every C compiler of the host replaced by one that measures, and reads what
gcov counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sanitized.build import ROOT, build_extension
from tests.support.compilers import PYTHONS_OWN, path_without_stand_ins

MEASURED = ("lib/", "firmware/")
# The tests that run C on this computer, without those that need a board or only Python.
TESTS = (
    "tests/lib",
    "tests/agree/test_kernels.py",
    "tests/agree/test_random_kernels.py",
    "tests/agree/test_random_graphs.py",
    "tests/firmware",
    "tests/python/runtime",
    "tests/python/bench/test_store.py",
)
RANDOM_CASES = 2400  # of each operator: fewer leave branches out
ON_BOARDS = (
    "build",
    "collecting",
    "emulated",
    "flashing",
    "image",
    "kernel_sets",
    "physical_boards",
    "power_cuts",
    "regions",
    "stack",
)


@dataclass
class Counts:
    """How often a line of a file ran, and each of its branches; `branches` by function."""

    ran: int = 0
    branches: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        self.ran += line["count"]
        found = [branch["count"] for branch in line["branches"] if not branch["throw"]]
        before = self.branches.setdefault(line.get("function_name", ""), [0] * len(found))
        assert len(before) == len(found), line
        for index, count in enumerate(found):
            before[index] += count

    @property
    def missing(self) -> int:
        """The number of branches that never ran."""
        return sum(count == 0 for found in self.branches.values() for count in found)

    @property
    def total(self) -> int:
        return sum(map(len, self.branches.values()))


Coverage = dict[tuple[str, int], Counts]  # by file, relative to the root, and line


def measure(folder: Path) -> Coverage:
    """Runs the tests in an empty folder. Raises RuntimeError if one fails."""
    compilers = folder / "compilers"
    compilers.mkdir(parents=True)
    objects = folder / "objects"
    objects.mkdir()
    for name in {"cc", Path(PYTHONS_OWN).name}:
        (compilers / name).symlink_to(Path(__file__).with_name("cc.sh"))
    path = {"PATH": f"{compilers}:{path_without_stand_ins()}"}
    extension = build_extension(folder / "extension", path)
    environ = {**os.environ, **path, "TINYFLASH_MEASURED": str(extension)}
    environ["TINYFLASH_KEPT_OBJECTS"] = str(objects)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.coverage.plugin", "-n2"]
    command += [f"--random-cases={RANDOM_CASES}"]
    command += [f"--ignore=tests/firmware/test_{name}.py" for name in ON_BOARDS]
    command += [f"--basetemp={folder / 'tests'}", "-k", "not board and not emulated", *TESTS]
    if subprocess.run(command, cwd=ROOT, env=environ).returncode:
        raise RuntimeError("a test failed; coverage is that of tests that pass")
    return collect(folder)


def collect(folder: Path) -> Coverage:
    """Adds up what gcov says of every object in a folder."""
    counted: Coverage = defaultdict(Counts)
    gcov = shutil.which("gcov")
    assert gcov, "gcov is missing; it comes with GCC"
    for data in sorted(folder.rglob("*.gcda")):
        command = [gcov, "--json-format", "--stdout", "--branch-probabilities", data.name]
        done = subprocess.run(command, cwd=data.parent, capture_output=True, text=True, check=True)
        for document in filter(None, done.stdout.splitlines()):
            for file in json.loads(document)["files"]:
                _add(counted, file)
    return counted


def _add(counted: Coverage, file: dict[str, Any]) -> None:
    path = Path(os.path.normpath(ROOT / file["file"]))
    if not path.is_relative_to(ROOT):
        return
    name = path.relative_to(ROOT).as_posix()
    if name.startswith(MEASURED):
        for line in file["lines"]:
            counted[name, line["line_number"]].add(line)
