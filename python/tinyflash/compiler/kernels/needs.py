"""What a kernel of a set needs beyond the reference's: a condition, and scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflash.graph import Graph, Node
from tinyflash.layers import is_pointwise


@dataclass(frozen=True)
class Needs:
    """suits: whether the kernel can compute a node. scratch: the bytes of the arena that it uses
    while it runs, passed as the last of its buffers; 0: none is passed. at_once: it writes rows of
    y before it has read all rows of x that the call needs."""

    suits: Callable[[Graph, Node], bool] = lambda _graph, _node: True
    scratch: Callable[[Graph, Node], int] = lambda _graph, _node: 0
    at_once: bool = False


NOTHING = Needs()


def kernel_of(graph: Graph, node: Node) -> str:
    """Returns the kernel of a node that may need something: one of a layer with weights, or of its
    gradients, or a forward node that is named as its kernel is; "" of other nodes."""
    layer = _layer(graph, node)
    if layer is None:
        return "" if node.layer else f"{node.op}_forward"
    family = "fully_connected" if is_pointwise(layer) else layer.op
    return f"{family}_{node.op.removeprefix(layer.op).lstrip('_') or 'forward'}"


def layer_of(graph: Graph, node: Node) -> Node:
    """Returns the forward node of a gradient or an update."""
    return next(n for n in graph.named(node.layer) if n.operator.weighted)


def _layer(graph: Graph, node: Node) -> Node | None:
    """Returns the layer with weights that a node computes or differentiates."""
    if node.operator.weighted:
        return node
    if not node.layer or node.op.startswith("bias"):
        return None
    return next((n for n in graph.named(node.layer) if n.operator.weighted), None)
