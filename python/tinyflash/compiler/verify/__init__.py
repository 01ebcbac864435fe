"""Checks facts that hold for every graph after each pass. It shares no code with the passes.

The rules of single operators are in shapes.py.
"""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

from tinyflash.compiler.verify.operands import origin_of
from tinyflash.compiler.verify.shapes import check_node
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node, Port, Quant, Tensor
from tinyflash.operators import OPERATORS


def verify(graph: Graph, after: Graph | None = None) -> None:
    """Raises InternalError, which names graph and node or tensor, if the graph is unsound.

    after: the verified graph that this one was made from. The frozen nodes and tensors that both
    share are not checked again, except for rules that depend on all others.
    """
    changed, known = _difference(graph, after)
    nodes = [n for n in graph.nodes if id(n) not in known or not _alike(graph, after, n, changed)]
    for name, tensor in graph.tensors.items():
        if name in changed:
            _require(name == tensor.name, f"tensor {tensor.name} is filed as {name}")
            _check_tensor(tensor)
    for node in nodes:
        _check_roles(graph, node)
    _check_names(graph)
    _check_order(graph)
    for node in nodes:
        check_node(graph, node)
    _check_port(graph, graph.input, "input")
    _check_port(graph, graph.output, "output")
    _require(not graph.logits or graph.logits in graph.tensors, f"no logits {graph.logits}")
    _require(not graph.target or graph.target in graph.tensors, f"no target {graph.target}")


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise InternalError(f"unsound graph: {text}")


# ---- What has changed ---------------------------------------------------------------------------


def _difference(graph: Graph, after: Graph | None) -> tuple[set[str], Container[int]]:
    """Returns the names of tensors that differ from `after` or are in only one of the graphs, and
    the nodes of `after` by `id`. Without `after`, everything has changed."""
    if after is None:
        return set(graph.tensors), ()
    names = graph.tensors.keys() | after.tensors.keys()
    changed = {n for n in names if graph.tensors.get(n) is not after.tensors.get(n)}
    return changed, {id(node) for node in after.nodes}


def _alike(graph: Graph, after: Graph | None, node: Node, changed: set[str]) -> bool:
    """Whether everything that a node's rules read is the same as in `after`: its tensors, and those
    of the node that it is derived from."""
    assert after is not None
    origin = origin_of(graph, node)
    if origin is not origin_of(after, node):
        return False
    return all(
        changed.isdisjoint(n.inputs.values()) and changed.isdisjoint(n.outputs.values())
        for n in (node, origin)
        if n is not None
    )


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


def _check_names(graph: Graph) -> None:
    """Checks the names of nodes, and the layers that they name."""
    seen: set[tuple[str, str]] = set()
    for node in graph.nodes:
        if (node.op, node.name) in seen and node.op != "gradient_add":
            raise InternalError(f"unsound graph: {node.op} {node.name} occurs twice")
        seen.add((node.op, node.name))
        if node.layer and not graph.named(node.layer):
            raise InternalError(f"unsound graph: {node.name}: no layer {node.layer}")
        if node.op == "source" and node.outputs["y"] != graph.input.tensor:
            text = f"the source {node.name} makes what is not the input"
            raise InternalError(f"unsound graph: {text}")


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
    """Whether `role` matches an entry of OPERATORS."""
    bare = listed.strip("[]?")
    return role.rstrip("0123456789") == bare[:-1] if bare.endswith("*") else role == bare


def _check_order(graph: Graph) -> None:
    """Checks that every tensor is defined once, before it is read, and not read after an update in
    place."""
    defined = {t.name for t in graph.constants()} | {graph.target}
    if not any(node.op == "source" for node in graph.nodes):
        defined.add(graph.input.tensor)
    written: set[str] = set()
    for node in graph.nodes:
        where = f"unsound graph: {node.name} ({node.op})"
        for tensor in node.inputs.values():
            if tensor not in defined:
                raise InternalError(f"{where} reads {tensor} before it is made")
            if tensor in written:
                raise InternalError(f"{where} reads {tensor} after its update")
        for tensor in node.outputs.values():
            if tensor in defined:
                raise InternalError(f"{where} makes {tensor} again")
            defined.add(tensor)
        for tensor in node.writes:
            kind = graph.tensors[tensor].kind
            if kind != "trainable":
                raise InternalError(f"{where} updates {tensor}, a {kind}")
            written.add(tensor)
    _require(graph.output.tensor in defined, f"nothing makes the output {graph.output.tensor}")


def _check_port(graph: Graph, port: Port, what: str) -> None:
    _require(port.tensor in graph.tensors, f"the {what} names {port.tensor}, which is not there")
    tensor = graph.tensors[port.tensor]
    _require(tensor.kind == "activation", f"the {what} is a {tensor.kind}")
    _require(math.prod(port.shape) == tensor.size, f"the {what} has shape {port.shape}")
    _require(tensor.dtype == "int8", f"the {what} is {tensor.dtype}")
    _require(port.dtype != "float32" or port.quant is not None, f"the {what} has no scale")
