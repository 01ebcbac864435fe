"""Every link of the Markdown pages leads to a file that is there, and to a heading in it; no table
takes in the line behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyflash.paths import source_root

ROOT = source_root()
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "lib/*.md", "firmware/*.md", "python/**/*.md")
    for path in ROOT.glob(pattern)
)


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^\s*```.*?^\s*```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text_of(page)):
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{target}: there is no such file"
            assert not anchor or anchor in anchors(file), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_line_behind_a_table_is_none_of_its_rows(page: Path) -> None:
    swallowed = re.search(r"^\|.*\n([^|\n].*)", text_of(page), re.MULTILINE)
    assert not swallowed, f"a table takes in: {swallowed[1]}"
