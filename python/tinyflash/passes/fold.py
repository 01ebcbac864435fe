"""Computes at compile time what depends on no input of the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tinyflash.graph import Graph, Node, Tensor
from tinyflash.reference.environment import Environment
from tinyflash.reference.operators import OPERATORS


def fold_constants(graph: Graph) -> Graph:
    """The graph with constants in the place of nodes that read nothing but constants."""
    foldable = _foldable(graph)
    values = Environment(replace(graph, nodes=tuple(n for n in graph.nodes if n.name in foldable)))
    folded = []
    for node in values.graph.nodes:
        OPERATORS[node.op](values, node)
        y = graph.tensors[node.outputs["y"]]
        data = np.ascontiguousarray(values.values[y.name].astype(y.dtype)).reshape(y.shape)
        folded.append(replace(y, kind="constant", data=data))
    return _with_constants(graph, foldable, folded)


def _with_constants(graph: Graph, foldable: set[str], folded: Iterable[Tensor]) -> Graph:
    return graph.with_nodes((n for n in graph.nodes if n.name not in foldable), folded)


def _foldable(graph: Graph) -> set[str]:
    """Names of the nodes that can be computed now, and whose readers take a constant."""
    constants = {t.name for t in graph.constants()}
    found: list[Node] = []
    for node in graph.nodes:
        if constants.issuperset(node.inputs.values()):
            constants.update(node.outputs.values())
            found.append(node)
    kept = {graph.output.tensor, graph.logits}
    names: set[str] = set()
    for node in reversed(found):
        y = node.outputs["y"]
        readers = graph.readers(y)
        if y not in kept and all(n.name in names or n.operator.reads_constants for n in readers):
            names.add(node.name)
    return names
