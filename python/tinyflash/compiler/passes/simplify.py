"""Removes nodes that only pass their input on, and merges those that undo or repeat each other.

Inference is bit-equal. So is training, except for rounding: each stored gradient is rounded once,
and a removed node stores none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from tinyflash.compiler.passes.prune import prune_to_output
from tinyflash.graph import (
    Clip,
    Graph,
    LookupAttrs,
    MeanAttrs,
    NoAttrs,
    Node,
    PadAttrs,
    Tensor,
    TransposeAttrs,
    Window,
    WindowAttrs,
)

_BYTES = np.arange(256, dtype=np.uint8).view(np.int8)


def simplify(graph: Graph) -> Graph:
    """Returns a forward graph without nodes that do nothing."""
    sweep = _Sweep(graph)
    for node in graph.nodes:
        sweep.take(node)
    return prune_to_output(graph.with_nodes(sweep.made.values()))


@dataclass
class _Sweep:
    """One walk over the nodes in order. `made`: nodes by the tensor they make. `same`: removed
    tensors, each with the tensor that replaces it."""

    graph: Graph
    made: dict[str, Node] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)

    def take(self, node: Node) -> None:
        """Keeps the node in the simplest form that the nodes before it allow."""
        inputs = {role: self.same.get(t, t) for role, t in node.inputs.items()}
        if inputs != node.inputs:
            node = replace(node, inputs=inputs)
        y = node.outputs["y"]
        if node.op in _JOINS:
            node = _JOINS[node.op](self, node)
        x = next(iter(node.inputs.values()))
        if y not in (self.graph.output.tensor, self.graph.logits) and self._hands_on(node, x):
            self.same[y] = x
        else:
            self.made[y] = node

    def _hands_on(self, node: Node, x: str) -> bool:
        """Whether y equals x: the same bytes, with the same shape and meaning."""
        a, b = self.graph.tensors[x], self.graph.tensors[node.outputs["y"]]
        alike = (a.shape, a.quant) == (b.shape, b.quant) and a.kind == b.kind
        return alike and node.op in _IDENTITIES and _IDENTITIES[node.op](self.graph, node)

    def before(self, node: Node) -> Node | None:
        """Returns the node that makes this node's input, if it has the same operator."""
        producer = self.made.get(node.inputs["x"])
        return producer if producer is not None and producer.op == node.op else None

    def tensor(self, node: Node, role: str) -> Tensor:
        return self.graph.tensors[node.inputs.get(role) or node.outputs[role]]


# ---- Two in a row, as one -----------------------------------------------------------------------


def _reshape(sweep: _Sweep, node: Node) -> Node:
    first = sweep.before(node)
    return node if first is None else replace(node, inputs=first.inputs)


def _transpose(sweep: _Sweep, node: Node) -> Node:
    """Merges two transposes into one. If only dimensions of 1 move, makes it a reshape."""
    first = sweep.before(node)
    assert isinstance(node.attrs, TransposeAttrs)
    if first is not None:
        assert isinstance(first.attrs, TransposeAttrs)
        order = tuple(first.attrs.order[axis] for axis in node.attrs.order)
        node = replace(node, inputs=first.inputs, attrs=TransposeAttrs(order))
    assert isinstance(node.attrs, TransposeAttrs)
    shape = sweep.tensor(node, "x").shape
    moved = [axis for axis in node.attrs.order if shape[axis] > 1]
    return _as_reshape(sweep, node) if moved == sorted(moved) else node


def _pad(sweep: _Sweep, node: Node) -> Node:
    first = sweep.before(node)
    if first is None:
        return node
    assert isinstance(node.attrs, PadAttrs)
    assert isinstance(first.attrs, PadAttrs)
    if node.attrs.value != first.attrs.value:
        return node
    inner, outer = first.attrs, node.attrs
    (a, b, c), (d, e, f) = inner.before, outer.before
    (g, h, i), (j, k, m) = inner.after, outer.after
    attrs = PadAttrs((a + d, b + e, c + f), (g + j, h + k, i + m), outer.value)
    return replace(node, inputs=first.inputs, attrs=attrs)


def _mean(sweep: _Sweep, node: Node) -> Node:
    """The mean of one element is that element."""
    assert isinstance(node.attrs, MeanAttrs)
    x, y = sweep.tensor(node, "x"), sweep.tensor(node, "y")
    single = prod(x.shape[axis] for axis in node.attrs.axes) == 1
    return _as_reshape(sweep, node) if single and x.quant == y.quant else node


def _as_reshape(sweep: _Sweep, node: Node) -> Node:
    return _reshape(sweep, replace(node, op="reshape", attrs=NoAttrs()))


_JOINS: dict[str, Callable[[_Sweep, Node], Node]] = {
    "reshape": _reshape,
    "transpose": _transpose,
    "pad": _pad,
    "mean": _mean,
}

# ---- Nothing at all -----------------------------------------------------------------------------


def _always(_: Graph, __: Node) -> bool:
    return True


def _is_still(_: Graph, node: Node) -> bool:
    assert isinstance(node.attrs, TransposeAttrs)
    return node.attrs.order == tuple(sorted(node.attrs.order))


def _is_alone(_: Graph, node: Node) -> bool:
    return len(node.inputs) == 1


def _is_identical(graph: Graph, node: Node) -> bool:
    """Whether a table maps each byte to itself."""
    table = graph.tensors[node.inputs["table"]].data
    assert isinstance(node.attrs, LookupAttrs)
    return np.array_equal(np.asarray(table), _BYTES)


def _is_point(_: Graph, node: Node) -> bool:
    """Whether a pool's window is a single position."""
    assert isinstance(node.attrs, WindowAttrs)
    return node.attrs.window == Window((1, 1)) and node.attrs.clip == Clip()


_IDENTITIES: dict[str, Callable[[Graph, Node], bool]] = {
    "reshape": _always,
    "pad": _always,  # with the shape of its input
    "transpose": _is_still,
    "concatenate": _is_alone,
    "lookup": _is_identical,
    "average_pool": _is_point,
    "max_pool": _is_point,
}
