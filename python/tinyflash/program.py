"""The compiler's output: a program is data, for both the C writer and the host runtime.

It mirrors include/tinyflash/model.h: rows that name a kernel, a record and buffers, and the calls
that execute them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tinyflash.sources import REFERENCE


class Space(IntEnum):
    """Memory spaces, by the value of `tiny_space`."""

    FLASH = 0
    WEIGHTS = 1
    STATE = 2
    ARENA = 3


@dataclass(frozen=True)
class Buffer:
    """A memory address. `offset`: in bytes."""

    space: Space
    offset: int


@dataclass(frozen=True)
class Factor:
    """mantissa * 2^exponent (SPEC 1.4)."""

    mantissa: int
    exponent: int


@dataclass(frozen=True)
class ConstArray:
    """A constant array that a record points to. ctype: int32_t, uint16_t or tiny_factor
    (values: [n][2], mantissa and exponent)."""

    ctype: str
    values: npt.NDArray[np.int64]


# A field of a record; None is a null pointer.
OP_BUFFERS = 8  # TINY_OP_BUFFERS
Value = int | Factor | ConstArray | Mapping[str, "Value"] | tuple[int, ...] | None


@dataclass(frozen=True)
class Record:
    """An operator record: the C type, a C identifier, and the fields by name."""

    ctype: str
    name: str
    fields: Mapping[str, Value]


@dataclass(frozen=True)
class Row:
    """One `tiny_op`. `kernel`: the name after the prefix `tiny_op_`, or SOURCE. `note`: the shape
    of the result. `about` is only for readers.
    """

    kernel: str
    record: int
    buffers: tuple[Buffer | None, ...]
    layer: str
    note: str
    about: str = field(default="", repr=False)
    kernel_set: str = field(default=REFERENCE, repr=False)

    @property
    def symbol(self) -> str:
        """The C function. Outside the reference set, its name ends in the set's name."""
        suffix = "" if self.kernel_set == REFERENCE else f"_{self.kernel_set}"
        return f"tiny_op_{self.kernel}{suffix}"


def with_scratch(buffers: tuple[Buffer | None, ...], scratch: Buffer) -> tuple[Buffer | None, ...]:
    """Returns the buffers of a row whose kernel uses scratch: that is always the last one."""
    return (*buffers, *[None] * (OP_BUFFERS - 1 - len(buffers)), scratch)


# The kernel of a row that the session's row source fills.
SOURCE = "source"


@dataclass(frozen=True)
class Call:
    """One `tiny_call`: rows [first, first + count) of the map that table row `op` computes. `node`:
    the number of the graph's node that the row comes from; only for readers."""

    op: int
    first: int
    count: int
    node: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Stretch:
    """The contents of a space from `offset` to the next stretch; only for readers."""

    offset: int
    about: str


@dataclass(frozen=True)
class Form:
    """The shape of one sample, and its unit: real = scale * (stored - zero). `scale`: None if the
    file gives none."""

    shape: tuple[int, ...]
    scale: float | None = None
    zero: int = 0


@dataclass(frozen=True)
class Program:
    """A compiled model. Calls index the rows of their table, rows index `records`, and images are
    the initial bytes of their spaces. `input` and `train_input`: None if a source delivers the
    rows. Forms, notes and contents are only for readers, and not part of the hash."""

    name: str
    infer: tuple[Row, ...]
    infer_calls: tuple[Call, ...]
    train: tuple[Row, ...]
    train_calls: tuple[Call, ...]
    records: tuple[Record, ...]
    flash: bytes
    weights: bytes
    state: bytes
    arena_bytes: int
    input: Buffer | None
    output: Buffer
    train_input: Buffer | None
    input_bytes: int
    output_bytes: int
    classes: int
    target: Buffer | None = None  # if the model learns from targets; `classes` is then 0
    target_bytes: int = 0
    row_bytes: int = 0  # of the rows that a source delivers; 0: the input is in memory
    input_form: Form | None = None
    output_form: Form | None = None
    target_form: Form | None = None
    input_note: str = ""
    output_note: str = ""
    target_note: str = ""
    contents: Mapping[Space, tuple[Stretch, ...]] = field(default_factory=dict)

    @property
    def hash(self) -> int:
        """Identifies what the saved bytes of WEIGHTS and STATE mean: 32 bits of SHA-256. It ignores
        kernel sets and the memory plan, which change no result."""
        rows = [[self._meaning(row) for row in table] for table in (self.infer, self.train)]
        text = repr((self.name, rows, self.classes, len(self.state)))
        digest = hashlib.sha256(text.encode() + self.flash + self.weights)
        return int.from_bytes(digest.digest()[:4], "little")

    def _meaning(self, row: Row) -> tuple[object, ...]:
        """Returns what a row computes, wherever the plan has put its maps. A forward kernel does
        not read how its layer learns, which its record has only where the maps are whole."""
        fixed = tuple(b for b in row.buffers if b is not None and b.space is not Space.ARENA)
        fields = dict(self.records[row.record].fields)
        if row.kernel.endswith("_forward"):
            fields.pop("descent", None)
        return row.kernel, row.layer, row.note, fixed, canonical(_without_rings(fields))


def _without_rings(value: Value) -> Value:
    """Returns the fields of a record without how many rows of a map are in memory."""
    if isinstance(value, Mapping):
        kept = {k: v for k, v in value.items() if k != "ring" and not k.endswith("_ring")}
        return {k: _without_rings(v) for k, v in kept.items()}
    return value


def canonical(value: Value) -> str:
    """Returns a text that is equal for equal values."""
    if isinstance(value, ConstArray):
        return f"{value.ctype}{value.values.tolist()}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{canonical(v)}" for k, v in value.items()) + "}"
    return repr(value)
