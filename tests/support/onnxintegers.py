"""Draws operators on integers, QLinearConv and its like: INTEGER_MAKERS by name.

Their values only matter for shapes: a judge in float leaves the coding out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tests.support.onnxdraw import Drawing, NotDrawnError
from tests.support.onnxmakers import Maker, spatial, window

MS = "com.microsoft"


class _Coded:
    """An operator between the pair. `kind`: of its activations."""

    def __init__(self, d: Drawing, x: str) -> None:
        if d.opset < 10 or d.values[x].dtype != np.float32:
            raise NotDrawnError("no integers")
        self.d, self.kind = d, d.draw.choice((np.int8, np.uint8))
        self.x_how, self.y_how = self.how(0.05), self.how(0.07)
        self.x = d.node("QuantizeLinear", x, *self.x_how)

    def how(self, scale: float) -> list[str]:
        zero = self.d.constant(self.d.draw.randint(3, 100), self.kind)
        return [self.d.constant(scale), zero]

    def weights(self, shape: Sequence[int], channels: int) -> list[str]:
        d, each = self.d, channels if self.d.chance(0.5) else ()
        data = d.constant(d.file.random.integers(-127, 128, shape), np.int8)
        scales = d.constant(d.file.random.uniform(0.005, 0.02, each))
        return [data, scales, d.constant(np.zeros(each), np.int8)]

    def finish(
        self, op: str, inputs: Sequence[str], shape: Sequence[int], domain: str = "", **more: Any
    ) -> None:
        """Adds the operator, whose result has this shape, and makes that real again."""
        d = self.d
        y = d.file.node(op, *inputs, **more)
        d.file.nodes[-1].domain = domain
        d.values[y] = np.zeros(tuple(shape), self.kind)
        d.node("DequantizeLinear", y, *self.y_how)
        d.maps.append(list(d.values)[-1])


def conv(d: Drawing, domain: str = "") -> None:
    x, sides = spatial(d)
    if sides != 2:
        raise NotDrawnError("one side")
    kernel = [d.draw.randint(1, 3) for _ in range(2)]
    settings = window(d, x, kernel, dilated=0.3)
    depth, out = d.shape(x)[1], d.draw.randint(1, 4)
    probe = d.node("Conv", x, d.normal(out, depth, *kernel), **settings)  # for the shape
    d.file.nodes.pop()
    d.maps.remove(probe)
    c = _Coded(d, x)
    w = c.weights((out, depth, *kernel), out)
    bias = [d.constant(d.file.random.integers(-500, 500, out), np.int32)] if d.chance(0.6) else []
    inputs = [c.x, *c.x_how, *w, *c.y_how, *bias]
    c.finish("QLinearConv", inputs, d.shape(probe), domain, **settings)


def matmul(d: Drawing) -> None:
    x, out = d.x, d.draw.randint(1, 5)
    c = _Coded(d, x)
    w = c.weights((d.shape(x)[-1], out), out)
    c.finish("QLinearMatMul", [c.x, *c.x_how, *w, *c.y_how], (*d.shape(x)[:-1], out))


def gemm(d: Drawing) -> None:
    x, out, turned = d.x, d.draw.randint(1, 5), int(d.chance(0.5))
    if d.rank(x) != 2:
        raise NotDrawnError("no rows")
    c, depth = _Coded(d, x), d.shape(x)[1]
    w = c.weights((out, depth) if turned else (depth, out), out)
    bias = d.constant(d.file.random.integers(-500, 500, out), np.int32) if d.chance(0.6) else ""
    inputs = [c.x, *c.x_how, *w, bias, *c.y_how]
    c.finish("QGemm", inputs, (d.shape(x)[0], out), MS, transB=turned)


def two(op: str) -> Maker:
    def maker(d: Drawing) -> None:
        x = d.x
        c = _Coded(d, x)
        if d.chance(0.3):
            other = [d.constant(d.draw.randint(0, 100), c.kind), *c.how(0.02)]
        else:
            other = [c.x, *c.x_how]
        c.finish(op, [c.x, *c.x_how, *other, *c.y_how], d.shape(x), MS)

    return maker


def one(op: str, **attributes: Any) -> Maker:
    def maker(d: Drawing) -> None:
        x = d.x
        c = _Coded(d, x)
        c.finish(op, [c.x, *c.x_how, *c.y_how], d.shape(x), MS, **attributes)

    return maker


def softmax(d: Drawing) -> None:
    x = d.x
    c = _Coded(d, x)
    inputs = [c.x, *c.x_how, *c.y_how]
    c.finish("QLinearSoftmax", inputs, d.shape(x), MS, axis=d.rank(x) - 1, opset=d.opset)


def pool(d: Drawing) -> None:
    x, sides = spatial(d)
    c, kernel = _Coded(d, x), [2] * sides
    shape = (*d.shape(x)[:2], *(n - 1 for n in d.shape(x)[2:]))
    if min(shape) < 1:
        raise NotDrawnError("too small")
    inputs = [c.x, *c.x_how, *c.y_how]
    c.finish("QLinearAveragePool", inputs, shape, MS, kernel_shape=kernel)


def overall(d: Drawing) -> None:
    x, sides = spatial(d)
    c = _Coded(d, x)
    shape = (*d.shape(x)[:2], *([1] * sides))
    c.finish("QLinearGlobalAveragePool", [c.x, *c.x_how, *c.y_how], shape, MS)


def concat(d: Drawing) -> None:
    x = d.x
    c, axis = _Coded(d, x), d.draw.randrange(d.rank(x))
    shape = [n * (1 + (i == axis)) for i, n in enumerate(d.shape(x))]
    c.finish("QLinearConcat", [*c.y_how, *([c.x, *c.x_how] * 2)], shape, MS, axis=axis)


INTEGER_MAKERS: dict[str, Maker] = {
    "QLinearConv": conv,
    "QLinearMatMul": matmul,
    f"{MS}.QGemm": gemm,
    f"{MS}.QLinearAdd": two("QLinearAdd"),
    f"{MS}.QLinearAveragePool": pool,
    f"{MS}.QLinearConcat": concat,
    f"{MS}.QLinearConv": lambda d: conv(d, MS),
    f"{MS}.QLinearGlobalAveragePool": overall,
    f"{MS}.QLinearLeakyRelu": one("QLinearLeakyRelu", alpha=0.3),
    f"{MS}.QLinearMul": two("QLinearMul"),
    f"{MS}.QLinearSigmoid": one("QLinearSigmoid"),
    f"{MS}.QLinearSoftmax": softmax,
}
