"""The generated C as a reader has it: rows, and the role that a comment gives to each buffer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from tinyflash.program import Buffer, Space


@dataclass(frozen=True)
class PageRow:
    """buffers: the eight of the row; roles: of the first of them, as the comments above say."""

    title: str
    kernel: str
    record: str
    roles: tuple[str, ...]
    buffers: tuple[Buffer | None, ...]


def rows_of(page: str, table: str) -> list[PageRow]:
    """The rows of "infer" or "train"; none if the model has no such table."""
    found = re.search(
        rf"^static const tiny_op model_{table}_ops\[\] = \{{\n(.*?)^\}};", page, re.M | re.S
    )
    body = re.sub(r"^\s*/\* ---- .*$", "", found[1], flags=re.M) if found else ""
    return [_row(text) for text in re.split(r"(?<=\}\},)\n", body) if text.strip()]


def _row(text: str) -> PageRow:
    comments = re.findall(r"^ *(/\*.*?\*/)$", text, re.M)
    code = re.sub(r"/\*.*?\*/", "", text)
    start = re.fullmatch(r"\s*\{(\w+),\s+&(\w+),\s+\{(.*)\}\},\s*", code, re.S)
    assert start, text
    titles = [c for c in comments if re.match(r"/\* +\d+ |/\*     ", c)]
    roles = [role for c in comments if c not in titles for role in c.strip("/* ").split()]
    words = [word.strip() for word in start[3].split(",")]
    assert len(words) == 8
    return PageRow(
        title=" ".join(c[2:-2].strip() for c in titles),
        kernel=start[1].removeprefix("tiny_op_"),
        record=start[2].removeprefix("model_"),
        roles=tuple(roles),
        buffers=tuple(_buffer(word) for word in words),
    )


def _buffer(text: str) -> Buffer | None:
    if text == "NONE":
        return None
    found = re.fullmatch(r"(\w+)\((\d+)\)", text)
    assert found, text
    return Buffer(Space[found[1]], int(found[2]))


def columns_agree(page: str) -> bool:
    """Whether every role is right above the buffer that it names."""
    lines = page.splitlines()
    pairs = [(a, b) for a, b in pairwise(lines) if a.startswith("   /* ")]
    starts = [(_starts(a[6:-3]), _starts(b[6:])) for a, b in pairs]
    return bool(pairs) and all(roles == cells[: len(roles)] for roles, cells in starts)


def _starts(line: str) -> list[int]:
    return [found.start() for found in re.finditer(r"\S+", line)]
