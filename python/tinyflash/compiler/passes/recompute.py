"""Recomputes cheap tensors in the backward part, instead of keeping them until then.

Only nodes without multiplication: masks, kept slices, functions of one element. Their inputs must
still be in memory when the result is read again. The pass recomputes a node only if that makes the
arena smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinyflash.graph import Graph, Node


def recompute(graph: Graph, arena_of: Callable[[Graph], int]) -> Graph:
    """Returns a training graph, its nodes in order, with the recomputation that makes the arena
    smallest."""
    smallest = arena_of(graph)
    for node in _candidates(graph):
        other = _again(graph, node)
        arena = arena_of(other)
        if arena < smallest:
            graph, smallest = other, arena
    return graph


def _loss(graph: Graph) -> int:
    """Returns the number of the loss node, where the backward part begins."""
    losses = (i for i, n in enumerate(graph.nodes) if n.operator.stage == "loss")
    return next(losses, len(graph.nodes))


def _candidates(graph: Graph) -> list[Node]:
    """Returns the nodes that can run right before the backward part reads them, largest first."""
    last = {t: i for i, n in enumerate(graph.nodes) for t in n.inputs.values()}
    found = []
    for node in graph.nodes[: _loss(graph)]:
        first = _first_reader(graph, node)
        reads = [t for t in node.inputs.values() if graph.tensors[t].data is None]
        if node.operator.cheap and first is not None and all(last[t] >= first for t in reads):
            found.append(node)
    return sorted(found, key=lambda n: -sum(graph.tensors[t].nbytes for t in n.outputs.values()))


def _first_reader(graph: Graph, node: Node) -> int | None:
    """Returns the number of the first node of the backward part that reads the output of `node`."""
    made, loss = set(node.outputs.values()), _loss(graph)
    readers = (i for i, n in enumerate(graph.nodes) if i > loss and made & set(n.inputs.values()))
    return next(readers, None)


def _again(graph: Graph, node: Node) -> Graph:
    """Returns the graph with the node repeated for the backward part. The first one goes if the
    forward part does not read it."""
    first = _first_reader(graph, node)
    assert first is not None
    ((role, tensor),) = node.outputs.items()
    copy = replace(graph.tensors[tensor], name=f"{tensor}_again")
    again = replace(node, name=f"{node.name}.again", outputs={role: copy.name})
    nodes = list(graph.nodes)
    for i in range(first, len(nodes)):
        inputs = {r: copy.name if t == tensor else t for r, t in nodes[i].inputs.items()}
        nodes[i] = replace(nodes[i], inputs=inputs)
    nodes.insert(first, again)
    if not any(tensor in n.inputs.values() for n in nodes):
        nodes.remove(node)
    return graph.with_nodes(nodes, [copy])
