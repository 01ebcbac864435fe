"""Finds x * clip(x + 3, 0, 6), the hard swish of frameworks without an operator for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tinyflash.quantize.floatgraph.graph import FloatGraph, FloatNode, Weights


def find_hard_swish(graph: FloatGraph) -> FloatGraph:
    """Replaces products of x and a hard gate of x by hard_swish, times a number if the scales
    differ.

    The gate is clip(f x + 3 f, 0, 6 f): a hard sigmoid with f = 1/6, ReLU6(x + 3) with f = 1.
    """
    by_name = {node.name: node for node in graph.nodes}
    nodes: list[FloatNode] = []
    for node in graph.nodes:
        x, factor = _gated(graph, by_name, node) if node.op == "mul" else ("", 0.0)
        if not factor:
            nodes.append(node)
            continue
        swish = replace(node, op="hard_swish", name=f"{node.name}_swish", inputs=(x,))
        weights = Weights(np.array([6 * factor], np.float32), np.zeros(1, np.float32))
        nodes += [swish, replace(node, op="scale", inputs=(swish.name,), weights=weights)]
    return graph.replaced(nodes, {})


def _gated(
    graph: FloatGraph, by_name: Mapping[str, FloatNode], node: FloatNode
) -> tuple[str, float]:
    """Returns x and f of the gate; f is 0 if the product has no gate."""
    for x, gate in (node.inputs, node.inputs[::-1]):
        clip = by_name.get(gate)
        line = by_name.get(clip.inputs[0]) if clip is not None and clip.op == "identity" else None
        if clip is None or line is None or line.op != "scale" or line.inputs != (x,):
            continue
        if line.learned.w.size > 1 or not graph.codings.keys().isdisjoint((gate, line.name)):
            continue
        factor, term = float(line.learned.w[0]), float(line.learned.b[0])
        close = np.isclose([term, *clip.bounds], [3 * factor, 0, 6 * factor], rtol=1e-4)
        if factor > 0 and close.all():
            return x, factor
    return "", 0.0
