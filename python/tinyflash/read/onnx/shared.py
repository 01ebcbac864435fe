"""Finds weights that several nodes of an ONNX model read. Here, each gets a copy of its own."""

from __future__ import annotations

from collections.abc import Mapping

from tinyflash.errors import listed, printable, warn
from tinyflash.read.onnx.file import OnnxModel, OnnxNode

_FEWEST = 8  # weights; exporters merge smaller constants that are equal by chance
# The operands that are weights. A product may have them on either side.
_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "QLinearConv": (3,),
    "QLinearMatMul": (0, 3),
}
# What a constant stays recognisable through.
_MOVES = (
    "Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip


def warn_of_shared(file: str, model: OnnxModel) -> None:
    """Warns of each constant that is the weights of two nodes or more."""
    roots = {name: name for name, value in model.constants.items() if value.size >= _FEWEST}
    readers: dict[str, list[OnnxNode]] = {}
    for node in model.nodes:
        if node.op in _MOVES and node.inputs and node.inputs[0] in roots:
            roots.update(dict.fromkeys(node.outputs, roots[node.inputs[0]]))
        for root in {roots[name] for name in _weights_of(node) if name in roots}:
            readers.setdefault(root, []).append(node)
    for root, nodes in readers.items():
        if len(nodes) > 1:
            names = listed([printable(node.name) for node in nodes])
            warn(
                f"{file}: nodes {names} share the weights {printable(root)!r}; here each has a "
                "copy, and training changes each copy by itself"
            )


def _weights_of(node: OnnxNode) -> list[str]:
    return [node.inputs[i] for i in _WEIGHTS.get(node.op, ()) if i < len(node.inputs)]
