"""examples/littlefs: learns, saves and goes on; the power is cut at every change of the flash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from tests.support.examples import EXAMPLES, copied, numbers, shell
from tests.support.strict import C99

COPY = os.environ.get("LITTLEFS_PATH", "")
CUT = 9  # the status of a program whose power was cut
STEPS = 4  # of training in each run
MOST_CHANGES = 1000  # of the flash in a run; more: the cuts never end
pytestmark = [
    pytest.mark.skipif(not COPY, reason="LITTLEFS_PATH names no copy of littlefs"),
    pytest.mark.skipif(not shutil.which("make"), reason="no make"),
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the program was built, under sanitizers."""
    folder = tmp_path_factory.mktemp("examples")
    copied("minimal", folder / "minimal")
    example = copied("littlefs", folder / "littlefs")
    checked = "-fsanitize=address,undefined -fno-sanitize-recover"
    flags = f"CFLAGS=-O2 -DSTEPS={STEPS}u -DTESTS=10u {checked}"
    shell(example, "make", "build/host", f"LITTLEFS_PATH={COPY}", flags)
    return example / "build"


def run(build: Path, flash: Path, cut: int = 0) -> tuple[int, dict[str, int]]:
    """Status and numbers of a run with the flash of a folder. cut: at which change; 0: none."""
    environment = {**os.environ, "FLASH_CUT": str(cut)}
    done = subprocess.run(
        [build / "host"], cwd=flash, env=environment, capture_output=True, text=True
    )
    assert done.returncode in (0, CUT), done.stdout + done.stderr
    return done.returncode, numbers(done.stdout)


def test_it_learns_and_goes_on(build: Path, tmp_path: Path) -> None:
    (_, first), (_, second) = run(build, tmp_path), run(build, tmp_path)
    assert (first["started at step"], first["saved after step"]) == (0, STEPS)
    assert second["resumed after step"] == STEPS
    assert second["correct before, of 100"] == first["correct after, of 100"]


@pytest.mark.parametrize("saves", [0, 1, 2])
def test_a_power_cut_leaves_the_old_or_the_new(saves: int, build: Path, tmp_path: Path) -> None:
    """After so many saves before."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    for _ in range(saves):
        run(build, before)
    found: Counter[int] = Counter()
    while (at := found.total() + 1) < MOST_CHANGES:
        shutil.rmtree(after, ignore_errors=True)
        shutil.copytree(before, after)
        status, _ = run(build, after, cut=at)
        if status != CUT:
            break
        _, then = run(build, after)
        found[then.get("resumed after step", 0)] += 1
    print(f"{found.total()} cuts: {found}")
    assert 50 < found.total() < MOST_CHANGES
    assert set(found) <= {STEPS * saves, STEPS * (saves + 1)}


def test_a_strict_compiler_has_nothing_to_say() -> None:
    for source in sorted((EXAMPLES / "littlefs").glob("*.c")):
        includes = [f"-I{EXAMPLES / 'littlefs'}", f"-I{EXAMPLES / 'minimal'}", "-isystem", COPY]
        done = subprocess.run(
            [*C99, *includes, "-fsyntax-only", source], capture_output=True, text=True
        )
        assert not re.search("warning|error", done.stderr), done.stderr
