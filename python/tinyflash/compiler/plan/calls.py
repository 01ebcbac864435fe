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
    """The calls of a graph, and of which tensors they need only so many rows at a time."""

    calls: tuple[Call, ...]
    rings: Mapping[str, int] = field(default_factory=dict)


def rows_of(graph: Graph, tensor: str) -> int:
    """Rows of a map [.., height, width, channels]; anything else is one row."""
    shape = graph.tensors[tensor].shape
    return shape[-3] if len(shape) >= 3 else 1


def rows_computed(graph: Graph, node: Node) -> int:
    """Rows that the calls of a node add up to: those of what it makes. A mask has those of the map
    that it is made from, an update is one."""
    if node.op == "mask":
        return rows_of(graph, node.inputs["y"])
    result = next(iter(node.outputs.values()), None)
    return 1 if result is None else rows_of(graph, result)


def whole(graph: Graph) -> Order:
    """One node after the other, each at once."""
    return Order(tuple(Call(i, 0, rows_computed(graph, n)) for i, n in enumerate(graph.nodes)))
