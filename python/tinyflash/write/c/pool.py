"""The constants of several models of one network, each written once.

Schemes of one network differ in what they train, and most of its weights are in all of them: frozen
in FLASH, or whole in the initial WEIGHTS. A pool has the bytes of all; each model finds its own
there. A layer that is trained in part is split, so a scheme has bytes of its own for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyflash.program import Buffer, Program, Record, Row, Space, Stretch, canonical

_WORD = 4  # bytes; every tensor is aligned to it


@dataclass(frozen=True)
class Pool:
    """programs: with offsets in FLASH that are those of the pool, and rows that number its records.
    weights_at: where each program's initial WEIGHTS are in the pool."""

    programs: tuple[Program, ...]
    records: tuple[Record, ...]
    image: bytes
    contents: tuple[Stretch, ...]
    weights_at: tuple[int, ...]


@dataclass
class _Bytes:
    image: bytearray = field(default_factory=bytearray)
    contents: list[Stretch] = field(default_factory=list)

    def add(self, data: bytes, about: Sequence[Stretch]) -> int:
        """Returns where the bytes are; appends them if they are nowhere. about: what they are."""
        padded = data + bytes(-len(data) % _WORD)
        at = self.image.find(padded) if padded else 0
        while at % _WORD and at >= 0:
            at = self.image.find(padded, at + 1)
        if at < 0:
            at = len(self.image)
            self.contents += [replace(part, offset=at + part.offset) for part in about]
            self.image += padded
        return at


@dataclass
class _Records:
    """Equal ones are one; others of the same name are numbered."""

    found: list[Record] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)

    def add(self, record: Record) -> int:
        key = f"{record.ctype} {canonical(record.fields)}"
        if key not in self.numbers:
            count = self.names[record.name] = self.names.get(record.name, 0) + 1
            name = record.name if count == 1 else f"{record.name}_of_{count}"
            self.numbers[key] = len(self.found)
            self.found.append(replace(record, name=name))
        return self.numbers[key]


def pooled(programs: Sequence[Program]) -> Pool:
    """Puts the constants of programs into one pool. The longest WEIGHTS come first: tensors that
    are frozen elsewhere are found in them."""
    data, records = _Bytes(), _Records()
    order = sorted(range(len(programs)), key=lambda i: -len(programs[i].weights))
    at = {i: data.add(programs[i].weights, _about(programs[i], Space.WEIGHTS)) for i in order}
    moved = tuple(_moved(program, data, records) for program in programs)
    weights_at = tuple(at[i] for i in range(len(programs)))
    contents = tuple(sorted(data.contents, key=lambda part: part.offset))
    return Pool(moved, tuple(records.found), bytes(data.image), contents, weights_at)


def _about(program: Program, space: Space) -> tuple[Stretch, ...]:
    return tuple(program.contents.get(space, ()))


def _moved(program: Program, data: _Bytes, records: _Records) -> Program:
    parts = _about(program, Space.FLASH) or (Stretch(0, ""),)
    ends = [*(part.offset for part in parts[1:]), len(program.flash)]
    places = {
        part.offset: data.add(program.flash[part.offset : end], [replace(part, offset=0)])
        for part, end in zip(parts, ends, strict=True)
    }
    numbers = [records.add(record) for record in program.records]
    tables = (
        tuple(_row(row, places, numbers) for row in table)
        for table in (program.infer, program.train)
    )
    infer, train = tables
    return replace(program, infer=infer, train=train)


def _row(row: Row, places: Mapping[int, int], numbers: Sequence[int]) -> Row:
    buffers = tuple(_place(buffer, places) for buffer in row.buffers)
    return replace(row, buffers=buffers, record=numbers[row.record])


def _place(buffer: Buffer | None, places: Mapping[int, int]) -> Buffer | None:
    """Returns where a buffer is now. places: of the tensors in FLASH, by their offset."""
    if buffer is None or buffer.space is not Space.FLASH:
        return buffer
    starts = sorted(places)
    start = starts[max(0, bisect_right(starts, buffer.offset) - 1)]
    return replace(buffer, offset=places[start] + buffer.offset - start)
