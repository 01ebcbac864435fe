"""The pages of the documentation, and what a reader can copy out of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACES = ("*.md", "docs/*.md", "firmware/*.md", "lib/*.md", "boards/**/*.md")
_PLACES += ("examples/**/*.md", "python/**/*.md")
PAGES = sorted(path for place in _PLACES for path in ROOT.glob(place))
_STARTS = ("./run ", "tinyflash ", "python -m ")


@dataclass(frozen=True)
class Block:
    """Consecutive lines of code. language: "" for indented ones. line: its first one, from 1."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """What a page tells its reader to type."""

    page: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def page(name: str) -> Path:
    """The page of this name in the checkout."""
    return ROOT / name


def blocks(path: Path) -> Iterator[Block]:
    """All code of a page: fenced, or indented by four columns after an empty line."""
    name, lines = str(path.relative_to(ROOT)), path.read_text().splitlines()
    at = 0
    while at < len(lines):
        fence = re.match(r"\s*```(\w*)", lines[at])
        first = at + bool(fence)
        if fence:
            end = next(i for i in range(first, len(lines)) if lines[i].strip() == "```")
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = next((i for i in range(at, len(lines)) if not _indented(lines[i])), len(lines))
        else:
            at += 1
            continue
        text = "".join(f"{line}\n" for line in lines[first:end])
        yield Block(name, first + 1, fence[1] if fence else "", text)
        at = end + 1


def _indented(line: str) -> bool:
    return not line.strip() or line.startswith("    ")


def code(path: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return [block.text for block in blocks(path) if block.language == language]


def commands(path: Path) -> Iterator[Command]:
    """Lines of code that are commands, without their comments; several may share a line. One that
    ends in a backslash goes on in the next."""
    for block in blocks(path):
        text = re.sub(r"\\\n *", "", block.text)
        for number, line in enumerate(text.splitlines(), block.line):
            for part in re.sub(r"\s#.*", "", line).split(";"):
                if part.strip().startswith(_STARTS):
                    yield Command(block.page, number, part.strip())


def mentions(path: Path) -> Iterator[Command]:
    """Commands within sentences, in backquotes."""
    name = str(path.relative_to(ROOT))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for text in re.findall(r"`([^`]+)`", line):
            if text.startswith(_STARTS):
                yield Command(name, number, text)
