"""Operators on integers of a model as the same on real numbers: for a judge in float.

A constant becomes the real numbers that it stands for; what is computed is real anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyflash.arrays import Numbers


class _Model:
    """A graph and its constants by name."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.graph = graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value":
                    self.constants[node.output[0]] = numpy_helper.to_array(attribute.t)

    def real(self, names: list[str], axis: int = 0) -> str:
        """The name of what a value stands for. names: of it, its scale and its zero point."""
        x, scale, zero = names
        if x not in self.constants:
            return x
        spread = np.asarray(self.constants[scale], np.float64)
        offset = np.asarray(self.constants[zero] if zero else 0, np.int64)
        return self.keep(x, self.constants[x].astype(np.int64), spread, offset, axis)

    def sum(self, bias: str, first: str, second: str, factor: float = 1.0) -> str:
        """A bias, whose unit is the product of two scales."""
        unit = np.asarray(self.constants[first], np.float64) * self.constants[second] * factor
        return self.keep(bias, self.constants[bias].astype(np.int64), unit, np.zeros((), int), 0)

    def keep(self, name: str, whole: Numbers, unit: Any, offset: Any, axis: int) -> str:
        from onnx import numpy_helper

        sides = [1] * whole.ndim
        if unit.size > 1:
            sides[axis] = -1
        unit = unit.reshape(sides) if unit.size > 1 else unit.ravel()[0]
        offset = offset.reshape(sides) if offset.size > 1 else offset.ravel()[0]
        made = f"{name}.real{len(self.graph.initializer)}"
        data = np.asarray((whole - offset) * unit, np.float32)
        self.graph.initializer.append(numpy_helper.from_array(data, made))
        return made


Rule = Callable[[_Model, list[str], dict[str, Any]], tuple[str, list[str]]]


def _conv(m: _Model, names: list[str], _: dict[str, Any]) -> tuple[str, list[str]]:
    bias = [m.sum(names[8], names[1], names[4])] if len(names) > 8 and names[8] else []
    return "Conv", [names[0], m.real(names[3:6]), *bias]


def _gemm(m: _Model, names: list[str], attributes: dict[str, Any]) -> tuple[str, list[str]]:
    axis = 0 if attributes.get("transB") else 1
    bias = [m.sum(names[6], names[1], names[4])] if len(names) > 6 and names[6] else []
    return "Gemm", [names[0], m.real(names[3:6], axis), *bias]


def _concat(m: _Model, names: list[str], _: dict[str, Any]) -> tuple[str, list[str]]:
    return "Concat", [m.real(names[i : i + 3]) for i in range(2, len(names), 3)]


def _softmax(_m: _Model, names: list[str], attributes: dict[str, Any]) -> tuple[str, list[str]]:
    attributes.pop("opset", None)
    return "Softmax", [names[0]]


def _one(op: str) -> Rule:
    return lambda _m, names, _: (op, [names[0]])


def _two(op: str) -> Rule:
    return lambda m, names, _: (op, [m.real(names[0:3]), m.real(names[3:6])])


_RULES: dict[str, Rule] = {
    "QLinearConv": _conv,
    "QLinearMatMul": lambda m, names, _: ("MatMul", [names[0], m.real(names[3:6], -1)]),
    "QGemm": _gemm,
    "QLinearAdd": _two("Add"),
    "QLinearAveragePool": _one("AveragePool"),
    "QLinearConcat": _concat,
    "QLinearGlobalAveragePool": _one("GlobalAveragePool"),
    "QLinearLeakyRelu": _one("LeakyRelu"),
    "QLinearMul": _two("Mul"),
    "QLinearSigmoid": _one("Sigmoid"),
    "QLinearSoftmax": _softmax,
}


def without_integers(model: Any) -> None:
    """Changes the model in place."""
    from onnx import helper

    graph = model.graph
    known = _Model(graph)
    for node in graph.node:
        if node.op_type not in _RULES:
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes.pop("channels_last", None)
        op, inputs = _RULES[node.op_type](known, list(node.input), attributes)
        node.CopyFrom(helper.make_node(op, inputs, list(node.output), node.name, **attributes))
