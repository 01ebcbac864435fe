"""Builds the C structs that the library executes: the same table that a device has in flash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinyflash.program import (
    SOURCE,
    Buffer,
    Call,
    ConstArray,
    Factor,
    Program,
    Row,
    Value,
    canonical,
)
from tinyflash.runtime.host.library import ffi, lib

_ABSENT = 0xFFFFFFFF  # TINY_NO_BUFFER
CData = Any  # cffi's objects have no static types


class Table:
    """Owns the memory of a `tiny_model`. `model` is valid while the table exists."""

    def __init__(self, program: Program) -> None:
        self._alive: list[CData] = []
        self._arrays: dict[str, CData] = {}  # equal ones are shared
        records = [self._record(r.ctype, dict(r.fields)) for r in program.records]
        self.model = ffi.new("tiny_model *")
        self.model.infer = self._table(program.infer, program.infer_calls, records)
        self.model.train = self._table(program.train, program.train_calls, records)
        for space, image in (
            ("flash", program.flash),
            ("weights_image", program.weights),
            ("state_image", program.state),
        ):
            setattr(self.model, space, self._keep(ffi.new("uint8_t[]", image or b"\0")))
        self.model.flash_bytes = len(program.flash)
        self.model.weights_bytes = len(program.weights)
        self.model.state_bytes = len(program.state)
        self.model.arena_bytes = program.arena_bytes
        for place in ("input", "output", "train_input"):
            setattr(self.model, place, _encode(getattr(program, place)))
        self.model.target = _encode(program.target)
        for size in ("input_bytes", "output_bytes", "target_bytes", "row_bytes", "classes", "hash"):
            setattr(self.model, size, getattr(program, size))

    def _keep(self, data: CData) -> CData:
        self._alive.append(data)
        return data

    def _record(self, ctype: str, fields: dict[str, Value]) -> CData:
        return self._keep(ffi.new(f"{ctype} *", self._struct(fields)))

    def _struct(self, fields: Any) -> dict[str, Any]:
        return {name: self._value(v) for name, v in fields.items() if v is not None}

    def _value(self, value: Value) -> Any:
        if isinstance(value, Factor):
            return {"mantissa": value.mantissa, "exponent": value.exponent}
        if isinstance(value, ConstArray):
            key = canonical(value)
            if key not in self._arrays:
                self._arrays[key] = ffi.new(f"{value.ctype}[]", value.values.tolist())
            return self._arrays[key]
        if isinstance(value, int | tuple):
            return value
        return self._struct(value)

    def _table(
        self, rows: Iterable[Row], calls: tuple[Call, ...], records: list[CData]
    ) -> dict[str, Any]:
        ops = [
            {"kernel": _kernel(row), "record": records[row.record], "buffers": _buffers(row)}
            for row in rows
        ]
        steps = [(call.op, (call.first, call.count)) for call in calls]
        return {
            "ops": self._keep(ffi.new("tiny_op[]", ops)),
            "calls": self._keep(ffi.new("tiny_call[]", steps)),
            "count": len(steps),
        }


def _kernel(row: Row) -> Any:
    """Returns the kernel of the set `host`, or else the reference's. All sets are bit-equal, and
    neither of the two uses scratch or needs operands apart, so every plan suits them."""
    if row.kernel == SOURCE:
        return ffi.NULL
    reference = f"tiny_op_{row.kernel}"
    return getattr(lib, f"{reference}_host", getattr(lib, reference))


def _buffers(row: Row) -> list[int]:
    codes = [_encode(b) for b in row.buffers]
    return codes + [_ABSENT] * (8 - len(codes))


def _encode(buffer: Buffer | None) -> int:
    return _ABSENT if buffer is None else buffer.space << 30 | buffer.offset
