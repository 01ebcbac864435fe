"""Facts that hold of every graph, checked after each pass by code that took no part in making it.

The rules of single operators are in shapes.py.
"""

from __future__ import annotations

import math

import numpy as np

from tinyflash.compiler.verify.shapes import check_node
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node, Port, Quant, Tensor
from tinyflash.operators import OPERATORS


def verify(graph: Graph) -> None:
    """Raises InternalError, naming graph and node or tensor, unless the graph is sound."""
    for name, tensor in graph.tensors.items():
        _require(name == tensor.name, f"tensor {tensor.name} is filed as {name}")
        _check_tensor(tensor)
    seen: set[tuple[str, str]] = set()
    for node in graph.nodes:
        _check_roles(graph, node)
        twice = (node.op, node.name) in seen and node.op != "gradient_add"
        _require(not twice, f"{node.op} {node.name} occurs twice")
        seen.add((node.op, node.name))
    names = {node.name for node in graph.nodes}
    for node in graph.nodes:
        _require(not node.layer or node.layer in names, f"{node.name}: no layer {node.layer}")
    _check_order(graph)
    for node in graph.nodes:
        made = node.op != "source" or node.outputs["y"] == graph.input.tensor
        _require(made, f"the source {node.name} makes what is not the input")
        check_node(graph, node)
    _check_port(graph, graph.input, "input")
    _check_port(graph, graph.output, "output")
    _require(not graph.logits or graph.logits in graph.tensors, f"no logits {graph.logits}")
    _require(not graph.target or graph.target in graph.tensors, f"no target {graph.target}")


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise InternalError(f"unsound graph: {text}")


# ---- Tensors ------------------------------------------------------------------------------------


def _check_tensor(tensor: Tensor) -> None:
    where = f"tensor {tensor.name}"
    _require(all(d >= 1 for d in tensor.shape), f"{where} has shape {tensor.shape}")
    _require(
        (tensor.kind in ("constant", "trainable")) == (tensor.data is not None),
        f"{where} of kind {tensor.kind} has {'data' if tensor.data is not None else 'no data'}",
    )
    if tensor.data is not None:
        found = tensor.data.shape, tensor.data.dtype
        _require(found == (tensor.shape, np.dtype(tensor.dtype)), f"{where} holds {found}")
    if tensor.quant is not None:
        _check_quant(tensor, tensor.quant, where)


def _check_quant(tensor: Tensor, quant: Quant, where: str) -> None:
    for scale in quant.scale:
        _require(math.isfinite(scale) and scale > 0, f"{where} has scale {scale}")
        _require(float(np.float32(scale)) == scale, f"{where} has scale {scale}, no float32")
    if len(quant.scale) == 1:
        limits = np.iinfo(tensor.dtype)
        _require(limits.min <= quant.zero <= limits.max, f"{where} has zero point {quant.zero}")
    else:
        _require(
            0 <= quant.axis < len(tensor.shape)
            and len(quant.scale) == tensor.shape[quant.axis]
            and quant.zero == 0,
            f"{where} has {len(quant.scale)} scales along axis {quant.axis}, zero {quant.zero}",
        )


# ---- Nodes --------------------------------------------------------------------------------------


def _check_roles(graph: Graph, node: Node) -> None:
    _require(node.op in OPERATORS, f"node {node.name} is a {node.op}, which is no operator")
    roles = (node.operator.inputs, node.operator.outputs)
    for listed, operands in zip(roles, (node.inputs, node.outputs), strict=True):
        expected = listed.split()
        for role, tensor in operands.items():
            _require(any(_fits(role, e) for e in expected), f"{node.name} ({node.op}) has {role}")
            _require(tensor in graph.tensors, f"{node.name} names {tensor}, which is not there")
        for e in expected:
            given = sum(_fits(role, e) for role in operands)
            _require(bool(given) or "?" in e, f"{node.name} ({node.op}) lacks {e}")


def _fits(role: str, listed: str) -> bool:
    """Whether `role` is the one that an entry of OPERATORS lists."""
    bare = listed.strip("[]?")
    return role.rstrip("0123456789") == bare[:-1] if bare.endswith("*") else role == bare


def _check_order(graph: Graph) -> None:
    """Everything is defined before it is read, once; what is written in place is not read again."""
    defined = {t.name for t in graph.constants()} | {graph.target}
    if not any(node.op == "source" for node in graph.nodes):
        defined.add(graph.input.tensor)
    written: set[str] = set()
    for node in graph.nodes:
        for tensor in node.inputs.values():
            _require(tensor in defined, f"{node.name} ({node.op}) reads {tensor} before it is made")
            _require(
                tensor not in written, f"{node.name} ({node.op}) reads {tensor} after its update"
            )
        for tensor in node.outputs.values():
            _require(tensor not in defined, f"{node.name} ({node.op}) makes {tensor} again")
            defined.add(tensor)
        for tensor in node.writes:
            kind = graph.tensors[tensor].kind
            _require(kind == "trainable", f"{node.name} ({node.op}) updates {tensor}, a {kind}")
            written.add(tensor)
    _require(graph.output.tensor in defined, f"nothing makes the output {graph.output.tensor}")


def _check_port(graph: Graph, port: Port, what: str) -> None:
    _require(port.tensor in graph.tensors, f"the {what} names {port.tensor}, which is not there")
    tensor = graph.tensors[port.tensor]
    _require(tensor.kind == "activation", f"the {what} is a {tensor.kind}")
    _require(math.prod(port.shape) == tensor.size, f"the {what} has shape {port.shape}")
    _require(tensor.dtype == "int8", f"the {what} is {tensor.dtype}")
    _require(port.dtype != "float32" or port.quant is not None, f"the {what} has no scale")
