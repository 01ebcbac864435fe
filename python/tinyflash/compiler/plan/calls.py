"""The order of execution: each call computes some rows of what a node computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinyflash.graph import Graph, Node


@dataclass(frozen=True)
class Call:
    """Rows [first, first + count) of the output of node number `node`."""

    node: int
    first: int
    count: int


@dataclass(frozen=True)
class Order:
    """The calls of a graph, and the ring sizes of tensors that need only some rows at a time."""

    calls: tuple[Call, ...]
    rings: Mapping[str, int] = field(default_factory=dict)


def rows_of(graph: Graph, tensor: str) -> int:
    """Returns the rows of a map [.., height, width, channels]. Any other tensor is one row."""
    shape = graph.tensors[tensor].shape
    return shape[-3] if len(shape) >= 3 else 1


def rows_computed(graph: Graph, node: Node) -> int:
    """Returns the rows that all calls of a node compute: those of its output. A mask has the rows
    of the map that it is made from; an update has one row."""
    if node.op == "mask":
        return rows_of(graph, node.inputs["y"])
    result = next(iter(node.outputs.values()), None)
    return 1 if result is None else rows_of(graph, result)


def whole(graph: Graph) -> Order:
    """Returns an order that runs one node after the other, each in a single call."""
    return Order(tuple(Call(i, 0, rows_computed(graph, n)) for i, n in enumerate(graph.nodes)))
