"""Numbers in sentences."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Returns "1 ring", "2 rings"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
