"""examples/keywords runs, and says what the page says: with --keywords, by fewer voices, each word
once. Its parts are tested by test_collect.py, test_features.py and test_live.py, always."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.pages import ROOT, page

SCRIPT = "examples/keywords/keywords.sh"


def sentences(text: str) -> list[str]:
    """The lines that are of no table, without their numbers."""
    lines = [line.strip() for line in text.splitlines() if line[:1] not in ("", " ")]
    return [re.sub(r"[\d.,]+\d|\d|/?\S*build/keywords", "N", line) for line in lines]


def told() -> str:
    behind = page("docs/data.md").read_text().split(f"<!-- output of {SCRIPT} -->\n```\n")[1]
    return behind.split("```")[0]


def check_kept(text: str) -> None:
    """What the board has after the power cut is what it had learned."""
    (after,) = re.findall(r"test accuracy after: ([\d.]+) %", text)
    assert f"accuracy {after} %" in text.splitlines()[-1]


def test_the_page_shows_what_was_kept() -> None:
    check_kept(told())
    assert subprocess.run(["sh", "-n", ROOT / SCRIPT]).returncode == 0


def test_it_says_what_the_page_says(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--keywords") or shutil.which("espeak-ng") is None:
        pytest.skip("only with --keywords, and where espeak-ng is")
    few = {"VOICES": "m1,f2", "TIMES": "1", "WORDS": "lamp,music", "PYTHON": sys.executable}
    program = {"TINYFLASH": f"{sys.executable} -m tinyflash"}
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    run = subprocess.run(
        ["sh", SCRIPT],
        cwd=tmp_path,
        env=os.environ | few | program,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "\n296 frames of the board: equal to those of this computer" in run.stdout
    mine, of_page = sentences(run.stdout), sentences(told())
    assert [line for line in mine if "surprised" not in line] == [
        line for line in of_page if "surprised" not in line
    ]
    check_kept(run.stdout)
