"""Writes the initial bytes of the spaces, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinyflash.program import Program, Space, Stretch
from tinyflash.write.c.text import INDENT, WIDTH, comment

_WORD = 4  # bytes
_ON_A_LINE = (WIDTH - len(INDENT) + 1) // len("0x00000000, ")


def image(name: str, data: bytes, stretches: Sequence[Stretch] = ()) -> str:
    """Returns an array of aligned words, little endian like every supported core; "" without
    data."""
    if not data:
        return ""
    padded = data + bytes(-len(data) % _WORD)
    words = [f"0x{word:08X}," for word in np.frombuffer(padded, "<u4").tolist()]
    body = "\n".join(_lines(words, stretches))
    return f"static const uint32_t {name}_image[{len(words)}] = {{\n{body}\n}};"


def _lines(words: Sequence[str], stretches: Sequence[Stretch]) -> Iterator[str]:
    """Returns the words, with the offset as a comment above each stretch."""
    starts = [stretch.offset // _WORD for stretch in stretches]
    ends = [*starts, len(words)]
    yield from _block(words[: ends[0]])
    for stretch, start, end in zip(stretches, starts, ends[1:], strict=True):
        yield f"{INDENT}/* {stretch.offset}: {comment(stretch.about)} */"
        yield from _block(words[start:end])


def _block(words: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(words), _ON_A_LINE):
        yield INDENT + " ".join(words[start : start + _ON_A_LINE])


def images(program: Program, name: str) -> list[str]:
    """Returns the images of FLASH, WEIGHTS and STATE. name: the model's."""
    data = {
        Space.FLASH: program.flash,
        Space.WEIGHTS: program.weights,
        Space.STATE: program.state,
    }
    return [
        image(f"{name}_{space.name.lower()}", content, program.contents.get(space, ()))
        for space, content in data.items()
    ]
