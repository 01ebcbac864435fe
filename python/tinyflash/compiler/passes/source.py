"""Makes the input come by rows from a callback, instead of being in memory before a step begins."""

from __future__ import annotations

from dataclasses import replace

from tinyflash.graph import Graph, Node


def with_source(graph: Graph) -> Graph:
    """Returns the graph with a source node for its input in front."""
    source = Node("source", "source", {}, {"y": graph.input.tensor})
    return replace(graph, nodes=(source, *graph.nodes))
