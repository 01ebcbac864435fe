"""README fits on a page and tells the truth; links of all pages lead somewhere."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path

import pytest
from tests.support.pages import PAGES, ROOT, blocks, page

README = page("README.md")
LINES, COLUMNS = 128, 100


def test_it_fits_on_a_page() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > COLUMNS] == []


def test_its_terminal_loads_nothing_from_elsewhere() -> None:
    shown = page("docs/demo.svg").read_text()
    assert set(re.findall(r"https?://[^\"' ]+", shown)) == {"http://www.w3.org/2000/svg"}


@cache
def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(path: Path) -> list[str]:
    prose = re.sub(r"`[^`\n]*`", "", path.read_text())
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


IMPORTS = [
    (block.page, *found)
    for path in PAGES
    for block in blocks(path)
    if block.language == "python"
    for found in re.findall(r"^\s*from (tinyflash[\w.]*) import ([^#\n]+)", block.text, re.M)
]


@pytest.mark.parametrize(("where", "module", "names"), IMPORTS)
def test_what_examples_import_is_there(where: str, module: str, names: str) -> None:
    pytest.importorskip("torch" if "from_torch" in names else "numpy")
    for name in re.findall(r"\w+", names):
        assert hasattr(importlib.import_module(module), name), f"{where}: {module}.{name}"
