"""Pieces of C text: safe comments and strings, and wrapped lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

INDENT = "    "
WIDTH = 100
_LONGEST = 80  # characters of a name in a comment


def comment(text: str, longest: int = _LONGEST) -> str:
    """Returns text that cannot open or end a C comment and has no trigraph."""
    safe = re.sub(r"[^ -~]|\*/|/\*|\?\?", "_", text[: longest + 1])
    return safe if len(text) <= longest else f"{safe[: longest - 3]}..."


def string(text: str) -> str:
    """Returns the inside of a C string, at most 63 characters."""
    return re.sub(r"[^ !#->@-\[\]-~]", "_", text)[:63]


def section(title: str) -> str:
    """A heading."""
    return f"/* ---- {title} {'-' * (WIDTH - 12 - len(title))} */"


def lines_of(words: Iterable[str], indent: str = INDENT, end: str = ",") -> list[str]:
    """Returns the words as wrapped lines, each word followed by `end`."""
    lines: list[str] = []
    line = indent
    for word in words:
        if line != indent and len(line) + len(word) + len(end) > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += f"{word}{end} "
    return [*lines, line.rstrip()] if line != indent else lines


def wrapped(words: Iterable[str], indent: str = INDENT) -> str:
    """Returns initialisers, as many on a line as fit."""
    return "\n".join(lines_of(words, indent))
