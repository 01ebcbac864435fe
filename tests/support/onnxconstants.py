"""Draws operators on constants, whose result then meets the network: CONSTANT_MAKERS by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto
from tests.support.onnxdraw import Drawing, NotDrawnError
from tests.support.onnxmakers import Maker, axes_of, some

FLOAT = TensorProto.FLOAT
Result = Callable[[Drawing, str], str]


def met(result: Result) -> Maker:
    """The result of a row of a number per channel, which is added to the network or multiplied."""

    def maker(d: Drawing) -> None:
        x = d.x
        if d.rank(x) < 2:
            raise NotDrawnError("no channels")
        row = d.normal(d.shape(x)[1], *(1 for _ in d.shape(x)[2:]))
        c = result(d, row)
        if d.values[c].dtype != np.float32:
            c = d.node("Cast", c, to=FLOAT)
        d.node(d.draw.choice(("Add", "Mul", "Sub")), x, c)

    return maker


def one(op: str, *, positive: bool = False, flag: bool = False) -> Maker:
    """Of one operand."""

    def result(d: Drawing, row: str) -> str:
        if positive:
            row = d.constant(np.abs(d.values[row]) + 0.1)
        return d.node(op, d.constant(d.values[row] > 0, np.bool_) if flag else row)

    return met(result)


def two(op: str, *, flags: bool = False, whole: bool = False) -> Maker:
    def result(d: Drawing, row: str) -> str:
        values = d.values[row]
        if flags:
            return d.node(op, *(d.constant(values > at, np.bool_) for at in (0, 0.5)))
        if whole:
            left = d.constant(np.round(9 * values), np.int64)
            return d.node(
                op, left, d.constant(np.full(values.shape, 4), np.int64), **some(d, fmod=0)
            )
        return d.node(op, row, d.constant(np.abs(values) + 0.5))

    return met(result)


def reduced(op: str) -> Maker:
    def result(d: Drawing, row: str) -> str:
        table = d.constant(np.outer([1, -0.5, 2], d.values[row]))
        settings = some(d, axes=axes_of(d, 2, 1), keepdims=d.draw.randint(0, 1))
        return d.node(op, table, **settings)

    return met(result)


def concat(d: Drawing, row: str) -> str:
    parts = np.array_split(d.values[row], 2)
    return d.node("Concat", *(d.constant(part) for part in parts if part.size), axis=0)


def sliced(d: Drawing, row: str) -> str:
    twice = d.constant(np.concatenate([d.values[row]] * 2))
    n = len(d.values[row])
    settings: dict[str, Any] = {"starts": [n], "ends": [2 * n + 3], "axes": [0]}
    return d.node("Slice", twice, **settings)


def split(d: Drawing, row: str) -> str:
    twice = d.constant(np.concatenate([d.values[row]] * 2))
    return d.node("Split", twice, axis=0, split=[2 * len(d.values[row])])


def gather(d: Drawing, row: str) -> str:
    order = list(range(len(d.values[row])))
    d.draw.shuffle(order)
    return d.node("Gather", row, d.constant(order, np.int64), **some(d, axis=0))


def expand(d: Drawing, row: str) -> str:
    return d.node("Expand", d.normal(1), d.constant(d.shape(row), np.int64))


def filled(d: Drawing, row: str) -> str:
    return d.node("ConstantOfShape", d.constant(d.shape(row), np.int64))


def turned(d: Drawing, row: str) -> str:
    order = list(range(d.rank(row)))
    return d.node("Transpose", d.constant(d.values[row].T), perm=order[::-1])


def shaped(d: Drawing, row: str) -> str:
    return d.node("Reshape", d.constant(d.values[row].ravel()), d.constant(d.shape(row), np.int64))


def squeezed(d: Drawing, row: str) -> str:
    return d.node("Squeeze", d.node("Unsqueeze", row, axes=[2, 0]), axes=[2, 0])


def chosen(d: Drawing, row: str) -> str:
    flags = d.constant(d.values[row] > 0, np.bool_)
    return d.node("Where", flags, row, d.normal(1))


def counted(d: Drawing, row: str) -> str:
    ends = (d.constant(v, np.int64) for v in (1, 1 + 2 * len(d.values[row]), 2))
    return d.node("Reshape", d.node("Range", *ends), d.constant(d.shape(row), np.int64))


def product(d: Drawing, row: str) -> str:
    flat = d.constant(d.values[row].ravel())
    square = d.normal(len(d.values[row]), len(d.values[row]))
    return d.node("Reshape", d.node("MatMul", flat, square), d.constant(d.shape(row), np.int64))


def flattened(d: Drawing, row: str) -> str:
    flat = d.node("Flatten", row, **some(d, axis=1))
    return d.node("Reshape", flat, d.constant(d.shape(row), np.int64))


def by_shape(d: Drawing) -> None:
    """Flattened by the arithmetic of its own shape."""
    x = d.x
    sizes = d.node("Shape", x, **some(d, start=0, end=1) if d.chance(0.3) else {})
    first = d.node("Gather", sizes, d.constant(0, np.int64), axis=0)
    rows = d.node("Unsqueeze", first, axes=[0])
    d.node("Reshape", x, d.node("Concat", rows, d.constant([-1], np.int64), axis=0))


def by_size(d: Drawing) -> None:
    x = d.x
    total = d.node("Reshape", d.node("Size", x), d.constant([1], np.int64))
    d.node("Reshape", x, d.node("Concat", d.constant([1], np.int64), total, axis=0))


CONSTANT_MAKERS: dict[str, Maker] = {
    **{op: one(op) for op in ("Abs", "Cast", "Ceil", "Exp", "Floor", "Round", "Sign")},
    **{op: one(op, positive=True) for op in ("Log", "Reciprocal", "Sqrt")},
    **{op: two(op) for op in ("Equal", "Greater", "Less", "Pow")},
    **{op: two(op, flags=True) for op in ("And", "Or")},
    **{op: reduced(op) for op in ("ReduceMax", "ReduceMin", "ReduceProd")},
    **{f"{op} of constants": reduced(op) for op in ("ReduceMean", "ReduceSum")},
    **{f"{op} of constants": two(op) for op in ("Add", "Div", "Max", "Min", "Mul", "Sub")},
    "Clip of constants": met(lambda d, row: d.node("Clip", row, min=-0.5, max=0.7)),
    **{f"{op} of constants": one(op) for op in ("Identity", "Neg", "Relu")},
    "Concat of constants": met(concat),
    "ConstantOfShape": met(filled),
    "Expand": met(expand),
    "Flatten of constants": met(flattened),
    "Gather": met(gather),
    "MatMul of constants": met(product),
    "Mod": two("Mod", whole=True),
    "Not": one("Not", flag=True),
    "Range": met(counted),
    "Reshape of constants": met(shaped),
    "Shape": by_shape,
    "Size": by_size,
    "Slice": met(sliced),
    "Split": met(split),
    "Squeeze of constants": met(squeezed),
    "Transpose of constants": met(turned),
    "Where": met(chosen),
}
CONSTANT_MAKERS["Cast"] = met(
    lambda d, row: d.node("Cast", d.node("Cast", row, to=TensorProto.INT32), to=FLOAT)
)
