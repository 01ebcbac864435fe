"""Finds layers that share their weights in the source model, but train them apart."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from tinyflash.errors import listed, warn
from tinyflash.graph import Graph, Node
from tinyflash.scheme import LayerUpdate

_FEWEST = 8  # weights; fewer may be equal by chance


def warn_of_tied(graph: Graph, updates: Mapping[str, LayerUpdate]) -> None:
    """Warns of trained layers whose stored weights are those of another layer.

    graph: forward. It compares contents: front ends copy a tensor that several layers read, and
    each copy has its own updates.
    """
    groups: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        if node.operator.weighted:
            groups.setdefault(_content(graph, node), []).append(node)
    for content, layers in groups.items():
        names = [node.name for node in layers]
        trained = [name for name in names if name in updates and updates[name].kept]
        if content is not None and len(names) > 1 and trained:
            warn(
                f"{graph.name}: layers {listed(names)} have the same weights, as in a network that "
                f"shares them; training changes them in {listed(trained)}, in each by itself"
            )


def _content(graph: Graph, node: Node) -> Hashable:
    """Returns the stored weights of a layer, the same for a matrix and its transpose (as of an
    autoencoder); None for those that say nothing, as zeros."""
    weights = graph.tensors[node.inputs["w_frozen"]]
    assert weights.data is not None
    if weights.size < _FEWEST or np.ptp(weights.data) == 0:
        return None
    sides = [weights.data, weights.data.T] if weights.data.ndim == 2 else [weights.data]
    return node.op, *min((side.shape, side.tobytes()) for side in sides)
