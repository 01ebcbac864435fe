"""The order of execution: each call computes some rows of what a node computes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.graph import Graph, Node


@dataclass(frozen=True)
class Call:
    """Rows [first, first + count) of the output of node number `node`."""

    node: int
    first: int
    count: int


def rows_of(graph: Graph, tensor: str) -> int:
    """Rows of a map [.., height, width, channels]; anything else is one row."""
    shape = graph.tensors[tensor].shape
    return shape[-3] if len(shape) >= 3 else 1


def rows_computed(graph: Graph, node: Node) -> int:
    """Rows that the calls of a node add up to. A mask has those of the map that it is made from;
    what has no output, or a gradient for one, is computed at once."""
    if node.op == "mask":
        return rows_of(graph, node.inputs["y"])
    y = node.outputs.get("y")
    return 1 if y is None else rows_of(graph, y)


def whole(graph: Graph) -> tuple[Call, ...]:
    """One node after the other, each at once."""
    return tuple(
        Call(index, 0, rows_computed(graph, node)) for index, node in enumerate(graph.nodes)
    )
