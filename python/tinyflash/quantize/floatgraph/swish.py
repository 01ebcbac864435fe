"""Finds x * clip(x + 3, 0, 6) and x * (1 + erf(x / sqrt(2))), the hard swish and the GELU of
frameworks without an operator for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tinyflash.quantize.floatgraph.graph import UNBOUNDED, FloatGraph, FloatNode, Weights


def find_swishes(graph: FloatGraph) -> FloatGraph:
    """Replaces products of x and a gate of x by one function of x, times a number.

    The gate of a hard swish is clip(f x + 3 f, 0, 6 f): a hard sigmoid with f = 1/6, ReLU6(x + 3)
    with f = 1. That of a GELU is f + f erf(x / sqrt(2)).
    """
    by_name = {node.name: node for node in graph.nodes}
    nodes: list[FloatNode] = []
    for node in graph.nodes:
        op, x, factor = _gate(graph, by_name, node) if node.op == "mul" else ("", "", 0.0)
        if not op:
            nodes.append(node)
            continue
        swish = replace(node, op=op, name=f"{node.name}_swish", inputs=(x,))
        weights = Weights(np.array([factor], np.float32), np.zeros(1, np.float32))
        nodes += [swish, replace(node, op="scale", inputs=(swish.name,), weights=weights)]
    return graph.replaced(nodes, {})


def _gate(
    graph: FloatGraph, by_name: Mapping[str, FloatNode], node: FloatNode
) -> tuple[str, str, float]:
    """Returns the function, its x, and what multiplies it; "" if the product is none."""
    x, factor = _gated(graph, by_name, node)
    if factor:
        return "hard_swish", x, 6 * factor
    x, factor = _half_erf(graph, by_name, node)
    return ("gelu", x, 2 * factor) if factor else ("", "", 0.0)


def _half_erf(
    graph: FloatGraph, by_name: Mapping[str, FloatNode], node: FloatNode
) -> tuple[str, float]:
    """Returns x and f of the gate of a GELU; f is 0 if the product has no such gate."""
    for x, gate in (node.inputs, node.inputs[::-1]):
        chain: list[FloatNode] = []
        while gate in by_name and len(chain) < 4 and gate != x:
            chain.insert(0, by_name[gate])
            gate = chain[0].inputs[0]
        erf = next((i for i, found in enumerate(chain) if found.op == "erf"), 0)
        lines = chain[:erf] + chain[erf + 1 :]
        if gate != x or not erf or not all(_is_line(graph, line) for line in lines):
            continue
        (before, moved), (factor, term) = (_line(part) for part in (chain[:erf], chain[erf + 1 :]))
        close = np.isclose([before, term], [np.sqrt(0.5), factor], rtol=1e-4)
        if moved == 0 and factor != 0 and close.all():
            return x, factor
    return "", 0.0


def _is_line(graph: FloatGraph, node: FloatNode) -> bool:
    plain = node.op == "scale" and node.bounds == UNBOUNDED and node.name not in graph.codings
    return plain and node.learned.w.size == node.learned.b.size == 1


def _line(nodes: list[FloatNode]) -> tuple[float, float]:
    """Returns factor and term of lines one after the other."""
    factor, term = 1.0, 0.0
    for node in nodes:
        w, b = float(node.learned.w[0]), float(node.learned.b[0])
        factor, term = factor * w, term * w + b
    return factor, term


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
