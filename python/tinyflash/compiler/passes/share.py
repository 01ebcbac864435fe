"""Merges nodes that compute the same, and constants that hold the same.

This pass runs on the training graph, where each reader's gradient already has its own tensor, so
training is bit-equal. Two updates that read the same slice of x share one copy.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from tinyflash.graph import Graph, Node, Tensor


def share(graph: Graph) -> Graph:
    """Returns the graph with the first of equal constants, and of equal nodes, in place of the
    others."""
    same = _equal_constants(graph)
    survivors: dict[Hashable, Node] = {}
    layers: dict[tuple[str, str], str] = {}  # operator and name of a removed node -> its survivor
    nodes = []
    for node in graph.nodes:
        inputs = {role: same.get(t, t) for role, t in node.inputs.items()}
        op = node.operator.forward or node.op
        layer = layers.get((op, node.layer), node.layer)
        if inputs != node.inputs or layer != node.layer:
            node = replace(node, inputs=inputs, layer=layer)
        survivor = survivors.setdefault(_key(graph, node), node)
        if survivor is node:
            nodes.append(node)
            continue
        layers[node.op, node.name] = survivor.name
        for role, tensor in node.outputs.items():
            same[tensor] = survivor.outputs[role]
    return replace(graph, logits=same.get(graph.logits, graph.logits)).with_nodes(nodes)


def _equal_constants(graph: Graph) -> dict[str, str]:
    """Returns the name of each constant, with the first constant that holds the same.

    Biases are left out: they are few bytes, and their unit depends on their layer's weights and
    input.
    """
    biases = {n.inputs["b"] for n in graph.nodes if "b" in n.inputs}
    first: dict[Hashable, str] = {}
    same = {}
    for tensor in graph.constants():
        if tensor.kind == "constant" and tensor.name not in biases:
            name = first.setdefault(_content(tensor), tensor.name)
            if name != tensor.name:
                same[tensor.name] = name
    return same


def _content(tensor: Tensor) -> Hashable:
    assert tensor.data is not None
    return tensor.shape, tensor.dtype, tensor.quant, tensor.data.tobytes()


def _key(graph: Graph, node: Node) -> Hashable:
    """Returns a key that is equal for nodes that compute the same, and unique for nodes that must
    stay."""
    outputs = [graph.tensors[t] for t in node.outputs.values()]
    kept = {graph.output.tensor, graph.logits}
    has_effect = node.operator.has_effect or kept & {t.name for t in outputs}
    if has_effect or any(t.kind == "gradient" for t in outputs):
        return node.op, node.name, tuple(node.outputs.items())
    made = tuple((t.shape, t.quant) for t in outputs)
    return node.op, tuple(sorted(node.inputs.items())), node.attrs, made
