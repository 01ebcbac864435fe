"""The maps of a graph by number: a view has the number of what it shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.plan.rows import in_arena
from tinyflash.graph import Graph, Node, aligned

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def maps_read(graph: Graph, node: Node) -> list[str]:
    return [t for t in node.inputs.values() if in_arena(graph, t)]


def numbered(graph: Graph) -> tuple[dict[str, int], list[list[str]]]:
    """Returns the number of every map, and the names of each number."""
    number: dict[str, int] = {}
    names: list[list[str]] = []
    made = [*graph.given, *(t for n in graph.nodes for t in n.outputs.values())]
    for tensor in dict.fromkeys(made):
        producer = graph.producer(tensor)
        if producer is not None and producer.operator.view_of:
            owner = producer.inputs[producer.operator.view_of]
            if owner in number:
                number[tensor] = number[owner]
                names[number[owner]].append(tensor)
                continue
        number[tensor] = len(names)
        names.append([tensor])
    return number, names


def sizes(graph: Graph, names: list[list[str]]) -> Ints:
    return np.array([aligned(graph.tensors[n[0]].nbytes) for n in names], np.int64)


def births(graph: Graph, number: dict[str, int], count: int) -> Ints:
    """Returns the node that makes each map; -1: the caller does."""
    born = np.full(count, -1, np.int64)
    for index, node in enumerate(graph.nodes):
        if not node.operator.view_of:
            for tensor in node.outputs.values():
                born[number[tensor]] = index
    return born


def closures(graph: Graph) -> Bools:
    """Returns what each node needs: itself, and the makers of what it reads."""
    found = np.eye(len(graph.nodes), dtype=np.bool_)
    maker = {t: i for i, n in enumerate(graph.nodes) for t in n.outputs.values()}
    for index, node in enumerate(graph.nodes):
        for tensor in node.inputs.values():
            if tensor in maker:
                found[index] |= found[maker[tensor]]
    return found
