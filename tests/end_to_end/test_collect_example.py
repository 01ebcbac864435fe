"""examples/collect runs, and prints what the page says: here twenty times as fast."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.browser import CHROMIUM
from tests.support.pages import ROOT, page

SCRIPT = "examples/collect/collect.sh"


def without_times(text: str) -> list[list[str]]:
    """The words of each line that is not empty, without seconds and rules, which go by the rate."""
    text = re.sub(r"[\d.]+ s\b|[─━]+", "", text)
    return [line.split() for line in text.splitlines() if line.strip()]


def test_it_prints_what_the_page_says(tmp_path: Path) -> None:
    fast = {"RATE": "1000", "SECONDS_EACH": "1.25"}
    program = {"TINYFLASH": f"{sys.executable} -m tinyflash"}
    (tmp_path / "python").symlink_to(ROOT / "python")  # it names files of the checkout
    run = subprocess.run(
        ["sh", ROOT / SCRIPT],
        cwd=tmp_path,
        env=os.environ | fast | program,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    behind = page("docs/data.md").read_text().split(f"<!-- output of {SCRIPT} -->\n```\n")[1]
    told = behind.split("```")[0]
    assert without_times(run.stdout) == without_times(told)
    before, after = (float(x) for x in re.findall(r"held-out accuracy \w+: ([\d.]+) %", told)[:2])
    assert after > before + 20
    assert f"accuracy {after} %" in told.splitlines()[-1]
    picture = tmp_path / "build" / "wearer" / "watch.png"
    assert CHROMIUM is None or picture.read_bytes().startswith(b"\x89PNG")
