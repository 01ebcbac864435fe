"""examples/personalise runs, and prints what the manual says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.pages import page

from tinyflash.paths import source_root

SCRIPT = "examples/personalise/personalise.py"


def test_it_prints_what_the_manual_says(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, source_root() / SCRIPT],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    behind = page("docs/manual.md").read_text().split(f"<!-- output of {SCRIPT} -->\n```\n")[1]
    told = behind.split("```")[0]
    assert run.stdout == told
    before, after, again = (line.split(":")[1].split()[0] for line in told.splitlines())
    assert float(before) < float(after) == float(again)
