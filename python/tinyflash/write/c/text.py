"""Pieces of C text: comments and strings that nothing can break, and lines that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable

INDENT = "    "
WIDTH = 100
_LONGEST = 80  # characters of a name in a comment


def comment(text: str, longest: int = _LONGEST) -> str:
    """Text that can neither end nor open a C comment, nor hold a trigraph."""
    safe = re.sub(r"[^ -~]|\*/|/\*|\?\?", "_", text[: longest + 1])
    return safe if len(text) <= longest else f"{safe[: longest - 3]}..."


def string(text: str) -> str:
    """The inside of a C string, at most 63 characters."""
    return re.sub(r"[^ !#->@-\[\]-~]", "_", text)[:63]


def section(title: str) -> str:
    """A heading."""
    return f"/* ---- {title} {'-' * (WIDTH - 12 - len(title))} */"


def lines_of(words: Iterable[str], indent: str = INDENT, end: str = ",") -> list[str]:
    """The words as lines that fit, each word followed by `end`."""
    lines: list[str] = []
    line = indent
    for word in words:
        if line != indent and len(line) + len(word) + len(end) > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += f"{word}{end} "
    return [*lines, line.rstrip()] if line != indent else lines


def wrapped(words: Iterable[str], indent: str = INDENT) -> str:
    """Initialisers, as many on a line as fit."""
    return "\n".join(lines_of(words, indent))
