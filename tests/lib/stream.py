"""Random cases as run_random.c reads them: words of a file, and tables of kernels in C."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from tests.lib.random_cases import MEMORY_BYTES, SCRATCH_BYTES, RandomCase
from tests.lib.random_data import STATE_BYTES

from tinyflash.program import OP_BUFFERS, ConstArray, Factor, Value

STREAM_WORDS = 3_000  # of a case, most of them arrays
NOTHING = 0xFFFFFFFF
_MASK = 0xFFFFFFFF

Layouts = dict[str, dict[str, bool]]  # by C type, its fields in order, and which are arrays


def layouts(cases: Iterable[RandomCase]) -> Layouts:
    """The fields of the records of some cases, which need not have all fields that others have."""
    found: Layouts = {}
    for case in cases:
        fields = found.setdefault(case.plan.ctype, {})
        fields |= {n: v is None or isinstance(v, ConstArray) for n, v in _flat(case.fields)}
    return found


def words_of(case: RandomCase, fields: Mapping[str, bool], kernel: int, scratch: int) -> bytes:
    """One case. `fields`: of its record; `kernel`: its row of the table; `scratch`: bytes."""
    state = np.frombuffer(case.state, np.uint32).tolist()
    fills = [int(value) & _MASK for fill in case.fills for value in fill]
    values = dict(_flat(case.fields))
    assert values.keys() <= fields.keys(), case.title
    record = [word for field in fields for word in _words(values.get(field, 0))]
    rest = [*state, *fills, *record]
    assert len(rest) <= STREAM_WORDS, case.title
    buffers = [NOTHING if offset is None else offset for offset in case.buffers]
    settles = NOTHING if case.settles is None else case.settles
    head = [len(rest), *case.number, kernel, case.seed, case.memory, scratch]
    head += [settles, case.bits]
    head += [*case.band, len(case.fills), *buffers, *[NOTHING] * (OP_BUFFERS - len(buffers))]
    return struct.pack(f"<{len(head) + len(rest)}I", *head, *rest)


def tables(name: str, kernels: Mapping[str, str], types: Layouts) -> str:
    """random_kernels.h, with the kernels of a set in the order of their rows, and their types."""
    lines = ['#include "random_tables.h"', ""]
    for key, value in (
        ("MEMORY_BYTES", MEMORY_BYTES),
        ("SCRATCH_BYTES", SCRATCH_BYTES),
        ("STATE_BYTES", STATE_BYTES),
        ("STREAM_WORDS", STREAM_WORDS),
    ):
        lines.append(f"#define {key} {value}u")
    lines.append("typedef union any_record {")
    lines += [f"    {ctype} of_{ctype};" for ctype in types]
    lines.append("} any_record;")
    for ctype, fields in types.items():
        lines.append(f"static const random_field fields_{ctype}[] = {{")
        lines += [f"    RANDOM_FIELD({ctype}, {field}, {int(a)})," for field, a in fields.items()]
        lines.append("};")
    lines += [f"TINY_OP({kernel}_{name});" for kernel in kernels]
    lines.append("static const random_kernel random_kernels[] = {")
    for kernel, ctype in kernels.items():
        functions = f"tiny_op_{kernel}, tiny_op_{kernel}_{name}"
        lines.append(f"    {{{functions}, fields_{ctype}, {len(types[ctype])}u}},")
    return "\n".join([*lines, "};", ""])


def _flat(fields: Mapping[str, Value], prefix: str = "") -> Iterator[tuple[str, Value]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, Factor):
            yield f"{prefix}{name}.mantissa", value.mantissa
            yield f"{prefix}{name}.exponent", value.exponent
        else:
            yield prefix + name, value


def _words(value: Value) -> list[int]:
    if value is None:
        return [NOTHING]
    if isinstance(value, ConstArray):
        dtype = {"int32_t": "<i4", "uint16_t": "<u2", "tiny_factor": "<u2"}[value.ctype]
        data = value.values.astype(dtype).tobytes()
        words = np.frombuffer(data + bytes(-len(data) % 4), "<u4").tolist()
        return [len(words), *words]
    assert isinstance(value, int | np.integer), value
    return [int(value) & _MASK]
