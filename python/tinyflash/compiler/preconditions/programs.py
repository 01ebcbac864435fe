"""Preconditions of a whole program: of its memory and its tables."""

from __future__ import annotations

from tinyflash.program import Program

SPACE_BYTES = 2**30  # what the offset of a buffer can address
LARGEST_TABLE = 65536  # operations that a call can name


def spaces(program: Program) -> str:
    """10.35."""
    sizes = {
        "FLASH": len(program.flash),
        "WEIGHTS": len(program.weights),
        "STATE": len(program.state),
        "ARENA": program.arena_bytes,
    }
    return space(*max(sizes.items(), key=lambda item: item[1]))


def space(name: str, size: int) -> str:
    """10.35, of one space."""
    text = f"{name} takes {size:,} bytes; at most {SPACE_BYTES:,} are supported"
    return text if size > SPACE_BYTES else ""


def tables(program: Program) -> str:
    """10.36."""
    count = max(len(program.infer), len(program.train))
    text = f"a table of {count:,} operations; at most {LARGEST_TABLE:,} are supported"
    return text if count > LARGEST_TABLE else ""
