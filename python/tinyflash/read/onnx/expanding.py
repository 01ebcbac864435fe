"""Operators on integers, QLinearConv and its like, by their pieces: DequantizeLinear of every
operand, the operator on real numbers, QuantizeLinear of the result.

So they are read as the same network in QDQ form, and computed with TensorFlow Lite's arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyflash.read.onnx.file import Attribute, OnnxModel, OnnxNode

_MICROSOFT = "com.microsoft."
Attributes = Mapping[str, Attribute]


@dataclass
class _Pieces:
    """The nodes in place of one, all with its name."""

    node: OnnxNode
    opset: int
    made: list[OnnxNode] = field(default_factory=list)

    def operand(self, position: int) -> str:
        inputs = self.node.inputs
        return inputs[position] if position < len(inputs) else ""

    def add(self, op: str, inputs: Sequence[str], attributes: Attributes | None = None) -> str:
        """Adds a node. Returns the name of its result, which no name of the file can be."""
        result = f"{self.node.outputs[0]}\0{len(self.made)}"
        trimmed = tuple(inputs)
        while trimmed and not trimmed[-1]:
            trimmed = trimmed[:-1]
        made = replace(
            self.node, op=op, inputs=trimmed, outputs=(result,), attributes=attributes or {}
        )
        self.made.append(made)
        return result

    def real(self, position: int, axis: int | None = None) -> str:
        """The operand at a position, followed by its scale and its zero point."""
        x, scale, zero = (self.operand(position + i) for i in range(3))
        return self.dequantized(x, scale, zero, axis)

    def dequantized(self, x: str, scale: str, zero: str = "", axis: int | None = None) -> str:
        attributes: Attributes = {} if axis is None else {"axis": axis}
        return self.add("DequantizeLinear", (x, scale, zero), attributes)

    def finish(self, y: str, scale: int) -> None:
        """Ends with the integers of y; scale: the position of theirs, before their zero point."""
        self.add("QuantizeLinear", (y, self.operand(scale), self.operand(scale + 1)))
        self.made[-1] = replace(self.made[-1], outputs=self.node.outputs)


Expansion = Callable[[_Pieces], None]


def _conv(p: _Pieces) -> None:
    """x, w with scales, then the result's; a bias in units of both scales."""
    bias = _bias(p, 8, 1, 4)
    y = p.add("Conv", (p.real(0), p.real(3, 0), bias), _attributes(p))
    p.finish(y, 6)


def _bias(p: _Pieces, position: int, first: int, second: int) -> str:
    if not p.operand(position):
        return ""
    scale = p.add("Mul", (p.operand(first), p.operand(second)))
    return p.dequantized(p.operand(position), scale, "", 0)


def _matmul(p: _Pieces) -> None:
    p.finish(p.add("MatMul", (p.real(0), p.real(3, -1)), _attributes(p)), 6)


def _gemm(p: _Pieces) -> None:
    """The result is real where no scale is given for it."""
    attributes = _attributes(p)
    turned = attributes.get("transB", 0) == 1
    alpha = attributes.get("alpha", 1.0)
    bias = _bias(p, 6, 1, 4)
    if bias and alpha != 1.0:
        p.node = replace(p.node, unusual="an alpha other than 1 with a C")
    y = p.add("Gemm", (p.real(0), p.real(3, 0 if turned else 1), bias), attributes)
    if p.operand(7):
        p.finish(y, 7)
    else:
        p.made[-1] = replace(p.made[-1], outputs=p.node.outputs)


def _two(op: str) -> Expansion:
    return lambda p: p.finish(p.add(op, (p.real(0), p.real(3)), _attributes(p)), 6)


def _one(op: str) -> Expansion:
    return lambda p: p.finish(p.add(op, (p.real(0),), _attributes(p)), 3)


def _concat(p: _Pieces) -> None:
    """The result's scale comes first, then every part with its own."""
    parts = [p.real(i) for i in range(2, len(p.node.inputs), 3)]
    p.finish(p.add("Concat", parts, _attributes(p)), 0)


def _softmax(p: _Pieces) -> None:
    """An attribute of its own says by the rules of which opset it works."""
    attributes = dict(_attributes(p))
    if (attributes.pop("opset", p.opset) >= 13) != (p.opset >= 13):  # type: ignore[operator]
        p.node = replace(p.node, unusual="an opset of its own")
    p.finish(p.add("Softmax", (p.real(0),), attributes), 3)


def _attributes(p: _Pieces) -> Attributes:
    """What is said in the usual way stays unsaid."""
    return {k: v for k, v in p.node.attributes.items() if (k, v) != ("channels_last", 0)}


EXPANSIONS: Mapping[str, Expansion] = {
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    f"{_MICROSOFT}QGemm": _gemm,
    f"{_MICROSOFT}QLinearAdd": _two("Add"),
    f"{_MICROSOFT}QLinearAveragePool": _one("AveragePool"),
    f"{_MICROSOFT}QLinearConcat": _concat,
    f"{_MICROSOFT}QLinearConv": _conv,
    f"{_MICROSOFT}QLinearGlobalAveragePool": _one("GlobalAveragePool"),
    f"{_MICROSOFT}QLinearLeakyRelu": _one("LeakyRelu"),
    f"{_MICROSOFT}QLinearMul": _two("Mul"),
    f"{_MICROSOFT}QLinearSigmoid": _one("Sigmoid"),
    f"{_MICROSOFT}QLinearSoftmax": _softmax,
}


def named(model: OnnxModel, value: str | None) -> str | None:
    """Returns the name that the file has for a value; None if it has none."""
    if value is None or "\0" not in value:
        return value
    node = next((n for n in model.nodes if value in n.outputs), None)
    if node is None or node.op != "DequantizeLinear" or "\0" in node.inputs[0]:
        return None
    return node.inputs[0]  # whose integers are the same tensor here


def expanded(model: OnnxModel) -> OnnxModel:
    """Returns the model without operators on integers."""
    return replace(model, nodes=tuple(_nodes(model.nodes, model.opset)))


def _nodes(nodes: Sequence[OnnxNode], opset: int) -> Iterator[OnnxNode]:
    for node in nodes:
        if node.op not in EXPANSIONS or not node.outputs or node.unusual:
            yield node
            continue
        pieces = _Pieces(node, opset)
        EXPANSIONS[node.op](pieces)
        yield from pieces.made
