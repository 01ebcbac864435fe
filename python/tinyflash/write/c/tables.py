"""Writes the rows of a table, and the calls that execute them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest

from tinyflash.program import SOURCE, Buffer, Call, Program, Record, Row
from tinyflash.sources import REFERENCE
from tinyflash.write.c.operands import OPERANDS
from tinyflash.write.c.text import INDENT, WIDTH, comment, wrapped

_BUFFERS = 8  # TINY_OP_BUFFERS


def buffer(place: Buffer | None) -> str:
    """Returns a buffer as a macro of the file."""
    return "NONE" if place is None else f"{place.space.name}({place.offset})"


# ---- Rows ----------------------------------------------------------------------------------------


def table(model: str, name: str, rows: Sequence[Row], records: Sequence[Record]) -> str:
    """Returns all rows of one table, each with its layer, operation and shapes as a comment; ""
    without rows."""
    names = [f"{model}_{records[row.record].name}" for row in rows]
    lines = [_row(index, row, names[index]) for index, row in enumerate(rows)]
    loss = next((i for i, row in enumerate(rows) if row.kernel.endswith("_loss")), None)
    if loss is not None:
        lines.insert(loss, f"\n{INDENT}/* ---- Loss, gradients, updates ---- */\n")
    body = "\n".join(lines)
    return f"static const tiny_op {model}_{name}_ops[] = {{\n{body}\n}};" if rows else ""


def _row(index: int, row: Row, record: str) -> str:
    kernel = "0" if row.kernel == SOURCE else row.symbol
    start = f"{INDENT}{{{kernel}, &{record},"
    if len(start) > WIDTH:
        start = f"{INDENT}{{{kernel},\n{INDENT} &{record},"
    return "\n".join([*_title(index, row), start, *_operands(row)])


def _title(index: int, row: Row) -> list[str]:
    """Returns one comment; two if the layer's name is long."""
    about = comment(row.about or row.note, WIDTH - 20)
    start = f"{INDENT}/* {index:3} {comment(row.layer)}"
    if len(start) + len(about) + 5 <= WIDTH:
        return [f"{start}: {about} */"]
    return [f"{start}: */", f"{INDENT}/*     {about} */"]


def _operands(row: Row) -> list[str]:
    """Returns the buffers, with their roles in a comment above."""
    roles = OPERANDS[row.kernel][: len(row.buffers)]
    buffers = [*map(buffer, row.buffers), *["NONE"] * (_BUFFERS - len(row.buffers))]
    ends = [","] * (_BUFFERS - 1) + ["}},"]
    cells = [f"{place}{end}" for place, end in zip(buffers, ends, strict=True)]
    lines: list[str] = []
    for open_, part in zip(
        "{ ", _parts(list(zip_longest(roles, cells, fillvalue=""))), strict=False
    ):
        widths = [max(map(len, cell)) for cell in part]
        head, line = (
            " ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()
            for texts in zip(*part, strict=True)
        )
        lines += [f"   /* {head} */", f"     {open_}{line}"] if head else [f"     {open_}{line}"]
    return lines


def _parts(cells: Sequence[tuple[str, str]]) -> list[Sequence[tuple[str, str]]]:
    """Returns all buffers, or two halves if they do not fit on one line."""
    width = 5 + sum(1 + max(map(len, cell)) for cell in cells)
    half = _BUFFERS // 2
    return [cells] if width <= WIDTH else [cells[:half], cells[half:]]


# ---- Calls ---------------------------------------------------------------------------------------


def calls(name: str, order: Sequence[Call], rows: Sequence[Row]) -> str:
    """Returns the execution order: whole operations, and runs of operations that alternate by
    rows."""
    counts = Counter(call.op for call in order)
    runs = [list(run) for _, run in groupby(order, lambda call: counts[call.op] > 1)]
    body = "\n".join(f"{_run_title(run, rows)}\n{wrapped(_words(run))}" for run in runs)
    return f"static const tiny_call {name}_calls[] = {{\n{body}\n}};" if runs else ""


def _words(run: Iterable[Call]) -> Iterator[str]:
    return (f"{{{call.op}, {{{call.first}, {call.count}}}}}" for call in run)


def _run_title(run: Sequence[Call], rows: Sequence[Row]) -> str:
    ops = list(dict.fromkeys(call.op for call in run))
    first, last = (f"{op} {comment(rows[op].layer, 24)}" for op in (ops[0], ops[-1]))
    what = first if len(ops) == 1 else f"{first} to {last}"
    return f"{INDENT}/* {what}: {'whole' if len(ops) == len(run) else 'some rows by turns'} */"


def declared(rows: Iterable[Row]) -> str:
    """Declares the kernels outside the reference set, which ops.h does not declare."""
    names = {row.symbol.removeprefix("tiny_op_") for row in rows if row.kernel_set != REFERENCE}
    return "\n".join(f"TINY_OP({name});" for name in sorted(names))


def tables(program: Program, name: str) -> list[str]:
    """Returns both tables of rows. name: the model's."""
    return [
        table(name, "infer", program.infer, program.records),
        table(name, "train", program.train, program.records),
    ]
