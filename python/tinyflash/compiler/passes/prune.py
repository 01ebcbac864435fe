"""Removes unused nodes: the infer graph and the train graph are two prunings of one graph."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.graph import Graph, Node, Port


def prune_to_output(graph: Graph) -> Graph:
    """Keeps only the nodes that compute the output."""
    return graph.with_nodes(_needed(graph, {graph.output.tensor}, effects=False))


def prune_to_updates(graph: Graph) -> Graph:
    """Keeps only the nodes that the loss and the updates need. The output is then the logits."""
    logits = graph.tensors[graph.logits]
    port = Port(logits.name, "int8", logits.shape, logits.quant)
    return replace(graph, output=port).with_nodes(_needed(graph, set(), effects=True))


def _needed(graph: Graph, wanted: set[str], effects: bool) -> list[Node]:
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        has_effect = effects and node.operator.has_effect
        if has_effect or wanted & set(node.outputs.values()):
            wanted.update(node.inputs.values())
            kept.append(node)
    return kept[::-1]
