"""docs/own-builds.md has the page of each product, and says nothing else of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.dist import ROOT

from tinyflash.dist.ways import WAYS, title


def test_the_page_has_the_text_of_each_product(products: Path) -> None:
    page = (ROOT / "docs" / "own-builds.md").read_text()
    names = []
    for way in WAYS:
        folder = products / way.folder
        name = re.sub("^tinyflash (for|as) ", "", title(folder))
        name = name[0].upper() + name[1:]
        body = (folder / "README.md").read_text().partition("\n")[2]
        assert f"\n## {name}\n{body}" in page, f"docs/own-builds.md differs from {way.folder}"
        names.append(name)
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == names
