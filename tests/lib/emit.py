"""Writes kernel cases as C: a table of all their rows, and their memory before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.lib.case import WRITABLE, Case

from tinyflash.program import Buffer, Program, Record, Space
from tinyflash.write.c import header, source

# Of images and constants in one program, so that it fits 1 MB of flash together with its table.
BATCH_BYTES = 400_000
_INCLUDES = '#include "kernel_cases.h"\n'


def batches(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """The cases in groups that fit a board each."""
    batch: list[Case] = []
    total = 0
    for case in cases:
        size = len(case.flash) + 2 * sum(map(len, case.before.values()))
        if batch and total + size > BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(case)
        total += size
    if batch:
        yield batch


def write_batch(cases: Sequence[Case], folder: Path) -> None:
    """The C sources of one program."""
    folder.mkdir(parents=True)
    program = _program(cases)
    (folder / "model.h").write_text(header(program))
    (folder / "model.c").write_text(source(program))
    (folder / "case_sizes.h").write_text(_sizes(cases))
    (folder / "kernel_cases.c").write_text(_cases(cases))


def _program(cases: Sequence[Case]) -> Program:
    """All rows as one table; the spaces are filled by each case itself."""
    flash = bytearray(4)
    arena = _largest(cases, Space.ARENA)
    rows, records = [], []
    for index, case in enumerate(cases):
        rows.append(case.placed(index, len(flash), arena))
        records.append(Record(case.record.ctype, f"record_{index}", case.record.fields))
        flash += case.flash + bytes(-len(case.flash) % 4)
    nowhere = Buffer(Space.ARENA, 0)
    return Program(
        name="kernel cases",
        infer=tuple(rows),
        infer_calls=tuple(case.call(index) for index, case in enumerate(cases)),
        train=(),
        train_calls=(),
        records=tuple(records),
        flash=bytes(flash),
        weights=b"",
        state=b"",
        arena_bytes=0,
        input=nowhere,
        output=nowhere,
        train_input=nowhere,
        input_bytes=0,
        output_bytes=0,
        classes=0,
    )


def _sizes(cases: Sequence[Case]) -> str:
    """The memory that the largest case needs of each space."""
    lines = [f"#define CASE_SCRATCH_OFFSET {_largest(cases, Space.ARENA)}u"]
    scratch = -(-max(case.scratch for case in cases) // 4) * 4
    for space in WRITABLE:
        size = str(max(4, _largest(cases, space))) + "u"
        size += f" + {scratch}u + CASE_GUARD_BYTES" * (space is Space.ARENA)
        lines.append(f"#define CASE_{space.name}_BYTES ({size})")
    return "\n".join(lines) + "\n"


def _largest(cases: Sequence[Case], space: Space) -> int:
    largest = max(len(case.before[space]) for case in cases)
    return -(-largest // 4) * 4


@dataclass
class _Images:
    """Images as words, each kept once."""

    words: list[str] = field(default_factory=list)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(self, image: bytes) -> str:
        """A C expression of the image's address."""
        if image not in self.known:
            self.known[image] = len(self.words)
            padded = image + bytes(-len(image) % 4)
            for i in range(0, len(padded), 4):
                self.words.append(f"0x{int.from_bytes(padded[i : i + 4], 'little'):08X}")
        return f"images + {self.known[image]}"

    def text(self) -> str:
        lines = [", ".join(self.words[i : i + 8]) for i in range(0, len(self.words), 8)]
        return "static const uint32_t images[] = {\n" + ",\n".join(lines) + ",\n};\n"


def _cases(cases: Sequence[Case]) -> str:
    images = _Images()
    rows = []
    for case in cases:
        sizes = ", ".join(str(len(case.before[space])) for space in WRITABLE)
        before = ", ".join(images.add(case.before[space]) for space in WRITABLE)
        after = ", ".join(images.add(case.after[space]) for space in WRITABLE)
        title = f'"{case.name}", {case.scratch}u'
        rows.append(f"    {{{title}, {{{sizes}}},\n     {{{before}}}, {{{after}}}}},\n")
    table = f"const kernel_case kernel_cases[] = {{\n{''.join(rows)}}};\n"
    count = f"const uint32_t kernel_case_count = {len(cases)};\n"
    return "\n".join([_INCLUDES, images.text(), table, count])


def spoiled(case: Case) -> Case:
    """The case with one wrong bit in what it expects of the last space it has."""
    space = next(s for s in reversed(WRITABLE) if case.after[s])
    wrong = bytearray(case.after[space])
    wrong[0] ^= 1
    return replace(case, name=f"spoiled {case.name}", after={**case.after, space: bytes(wrong)})
