"""What a kernel of a set needs beyond the reference's: a condition, and scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflash.graph import Graph, Node
from tinyflash.layers import is_pointwise


@dataclass(frozen=True)
class Needs:
    """suits: whether the kernel can compute a node. scratch: the bytes of the arena that it uses
    while it runs, passed as the last of its buffers; 0: none is passed. at_once: it writes rows of y
    before it has read all rows of x that the call needs."""

    suits: Callable[[Graph, Node], bool] = lambda _graph, _node: True
    scratch: Callable[[Graph, Node], int] = lambda _graph, _node: 0
    at_once: bool = False


NOTHING = Needs()


def layer_kernel(graph: Graph, node: Node) -> str:
    """Returns the forward kernel of a layer with weights; "" of other nodes."""
    if not node.operator.weighted:
        return ""
    return f"{'fully_connected' if is_pointwise(node) else node.op}_forward"
