"""One deliberate break: texts to replace, and the tests that must fail then."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tinyflash.paths import source_root
from tinyflash.sources import kernel_sets

ROOT = source_root()
TABLE = Path(__file__).with_name("mutations.toml")
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")  # the latter loads slowly
# Options of pytest by which tests have all their cases, not samples.
CASES = ("--random-cases", "6000", "--all-kernel-cases", "--demo-steps-of-ref", "100")
TESTS_FAILED = 1  # pytest's exit code; others say that it could not run them


@dataclass(frozen=True)
class Edit:
    """`old` occurs once in `file` and becomes `new`."""

    file: str
    old: str
    new: str

    def occurrences(self, root: Path) -> int:
        return (root / self.file).read_text(encoding="utf-8").count(self.old)

    def apply(self, root: Path) -> None:
        path = root / self.file
        path.write_text(path.read_text(encoding="utf-8").replace(self.old, self.new))


@dataclass(frozen=True)
class Mutation:
    """`tests`: arguments for pytest, of which at least one test must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """For pytest, of its samples the whole; names of mutations of one kernel set begin with its
        name."""
        name, _, _ = self.name.partition(": ")
        return ("--kernel-set", name, *CASES) if name in kernel_sets(ROOT) else CASES

    @property
    def changes_c(self) -> bool:
        return any(edit.file.startswith(("lib/", "include/")) for edit in self.edits)


def load() -> list[Mutation]:
    """All of mutations.toml."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutation"]
    return [
        Mutation(m["name"], tuple(Edit(**edit) for edit in m["edit"]), tuple(m["tests"]))
        for m in table
    ]


def is_noticed(mutation: Mutation, folder: Path) -> bool:
    """Whether a test fails in a copy of the sources, made in `folder`, that has the mutation."""
    copy = folder / "copy"
    # With bytecode, which stays valid where the source does, but not what is just being written.
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.pyc.*"))
    for edit in mutation.edits:
        edit.apply(copy)
    if mutation.changes_c:
        _run(copy, "setup.py", "-q", "build_ext", "--inplace", check=True)
    run = _run(copy, "-m", "pytest", "-q", "-x", *PLUGINS, *mutation.options, *mutation.tests)
    if run.returncode not in (0, TESTS_FAILED):
        raise RuntimeError(f"{mutation.name}: the tests did not run\n{run.stdout}{run.stderr}")
    if re.search(r"^\d+ errors? in ", run.stdout, re.MULTILINE):
        raise RuntimeError(f"{mutation.name}: a test could not begin\n{run.stdout}")
    return run.returncode == TESTS_FAILED


def _run(root: Path, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    outer = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment = {"PYTHONPATH": f"{root / 'python'}:{root}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**outer, **environment},
        capture_output=True,
        text=True,
        check=check,
    )
