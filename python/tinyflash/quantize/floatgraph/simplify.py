"""Passes on float networks: merge operators into their neighbours.

They fold normalisation into weights, activations into the producer of their input, and padding into
windows, and remove operators that only rename.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tinyflash.graph import Window
from tinyflash.limits import LARGEST_TAP
from tinyflash.operators import OPERATORS, WEIGHTED
from tinyflash.quantize.floatgraph.graph import (
    UNBOUNDED,
    Bounds,
    Filling,
    FloatGraph,
    FloatNode,
    Floats,
    Weights,
)
from tinyflash.quantize.floatgraph.swish import find_swishes

_BOUNDED = (
    *(name for name, operator in OPERATORS.items() if operator.clipped),
    "scale",
    "identity",
)


def simplify(graph: FloatGraph) -> FloatGraph:
    """Returns the same function with fewer operators."""
    graph = find_swishes(graph)
    graph = _join_to_producers(graph)
    graph = _join_to_readers(graph)
    graph = _without_scales(graph)
    graph = _join_to_producers(graph)
    return numbered(without_dead(graph))


# ---- Into what comes before ---------------------------------------------------------------------


def _join_to_producers(graph: FloatGraph) -> FloatGraph:
    """Merges each node into the producer of its only input, if that can do it, too."""
    made: dict[str, FloatNode] = {}
    renamed: dict[str, str] = {}
    codings = dict(graph.codings)
    uses = _uses(graph)
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs))
        x = node.inputs[0]
        producer = made.get(x)
        if _is_nothing(graph, made, codings, node):
            renamed[node.name] = x
            uses[x] += uses[node.name] - 1
            if node.name in codings:
                codings[x] = codings.pop(node.name)
            continue
        joined = None
        if producer is not None and uses[x] == 1 and len(node.inputs) == 1:
            joined = _joined(producer, node) if _one_coding(codings, x, node.name) else None
        if joined is None:
            made[node.name] = node
            continue
        made[x] = joined
        renamed[node.name] = x
        uses[x] = uses[node.name]
        if node.name in codings:
            codings[x] = codings.pop(node.name)
    return replace(graph, codings=codings).replaced(made.values(), renamed)


def _uses(graph: FloatGraph) -> Counter[str]:
    """Returns how often each tensor is read. The output counts as read by the caller."""
    return Counter([graph.output, *(name for node in graph.nodes for name in node.inputs)])


def _one_coding(codings: Mapping[str, object], x: str, y: str) -> bool:
    """Whether y can replace x, so that x is never stored."""
    return x not in codings or codings[x] == codings.get(y)


def _is_nothing(
    graph: FloatGraph, made: Mapping[str, FloatNode], codings: Mapping[str, object], node: FloatNode
) -> bool:
    x = node.inputs[0]
    if node.bounds != UNBOUNDED or node.op not in ("identity", "reshape", "scale"):
        return False
    shape = made[x].shape if x in made else graph.source.shape
    weights = node.weights
    plain = weights is None or bool((weights.w == 1).all() and (weights.b == 0).all())
    alike = node.name not in codings or codings.get(x, codings[node.name]) == codings[node.name]
    return plain and alike and shape == node.shape


def _joined(producer: FloatNode, node: FloatNode) -> FloatNode | None:
    """Returns both as one node with the producer's name; None if that is impossible."""
    if node.op == "reshape" and producer.op == "reshape":
        return replace(producer, shape=node.shape)
    if node.op == "scale" and not _quantized(producer):
        return _scaled(producer, node)
    if node.op == "identity" and producer.op in _BOUNDED:
        bounds = _both(producer.bounds, node.bounds)
        return None if bounds is None else replace(producer, bounds=bounds)
    return None


def _quantized(node: FloatNode) -> bool:
    return node.weights is not None and bool(node.weights.scales)


def _scaled(producer: FloatNode, node: FloatNode) -> FloatNode | None:
    """Returns the layer with the scale `node` folded into its weights."""
    factor, term = (v.astype(np.float64) for v in (node.learned.w, node.learned.b))
    scaled = _scaled_bounds(producer.bounds, node.learned)
    bounds = None if scaled is None else _both(scaled, node.bounds)
    if bounds is None:
        return None
    if producer.op == "scale":
        w, b = factor * producer.learned.w, factor * producer.learned.b + term
        w, b = np.broadcast_arrays(w, b)
        joined = Weights(w.astype(np.float32), b.astype(np.float32))
        return replace(producer, weights=joined, bounds=bounds)
    if producer.op not in WEIGHTED:
        return None
    weights = producer.learned
    if factor.size not in (1, weights.b.size):
        return None
    sides = [1] * weights.w.ndim
    sides[OPERATORS[producer.op].out_axis] = -1
    w = weights.w * (factor.reshape(sides) if factor.size > 1 else factor.ravel()[0])
    b = factor * weights.b + term
    joined = Weights(w.astype(np.float32), b.astype(np.float32))
    return replace(producer, weights=joined, bounds=bounds)


def _scaled_bounds(bounds: Bounds, scale: Weights) -> Bounds | None:
    """Returns the bounds after a scale; None if they are no longer one clamp."""
    if bounds == UNBOUNDED:
        return UNBOUNDED
    if (scale.b != 0).any() or (scale.w <= 0).any():
        return None
    if scale.w.size > 1:
        return bounds if bounds == (0.0, math.inf) else None
    return bounds[0] * float(scale.w[0]), bounds[1] * float(scale.w[0])


def _both(a: Bounds, b: Bounds) -> Bounds | None:
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low < high else None


# ---- Into what comes behind ---------------------------------------------------------------------


def _join_to_readers(graph: FloatGraph) -> FloatGraph:
    """Folds scales and padding before a layer with weights into the layer."""
    made: dict[str, FloatNode] = {}
    uses = _uses(graph)
    for node in graph.nodes:
        while True:
            before = made.get(node.inputs[0])
            if before is None or before.bounds != UNBOUNDED or not _unseen(graph, before):
                break
            joined = _absorbed(before, node) if uses[before.name] == 1 else None
            if joined is None:
                break
            node = joined
            del made[before.name]
        made[node.name] = node
    return graph.replaced(made.values(), {})


def _unseen(graph: FloatGraph, node: FloatNode) -> bool:
    """Whether the node's output need not be stored."""
    found = graph.codings.get(node.name)
    return found is None or found == graph.codings.get(node.inputs[0])


def _absorbed(before: FloatNode, node: FloatNode) -> FloatNode | None:
    """Returns the layer including the operation before it; None if that is impossible."""
    if node.op not in WEIGHTED:
        return None
    if before.op == "pad" and isinstance(node.attrs, Window):
        window = _padded(before, node.attrs)
        return None if window is None else replace(node, inputs=before.inputs, attrs=window)
    if before.op == "scale" and not _quantized(node):
        weights = _of_scaled(before.learned, node)
        return None if weights is None else replace(node, inputs=before.inputs, weights=weights)
    return None


def _padded(before: FloatNode, window: Window) -> Window | None:
    assert isinstance(before.attrs, Filling)
    filling = before.attrs
    if filling.value != 0 or filling.before[2] or filling.after[2]:
        return None
    amounts = (*filling.before[:2], *filling.after[:2])
    padding = tuple(a + b for a, b in zip(window.padding, amounts, strict=True))
    if max(padding) > LARGEST_TAP:
        return None
    top, left, bottom, right = padding
    return replace(window, padding=(top, left, bottom, right))


def _of_scaled(scale: Weights, node: FloatNode) -> Weights | None:
    """Returns weights that give the same result for x as the layer's weights for the scaled x."""
    weights = node.learned
    padded = isinstance(node.attrs, Window) and any(node.attrs.padding)
    if padded and bool((scale.b != 0).any()):
        return None  # the padding would need scaling, too
    channels = weights.w.shape[-1]
    if node.op == "depthwise":
        return _of_scaled_depthwise(scale, weights)
    if scale.w.size not in (1, channels):
        return None  # grouped, or rows of flattened maps
    axes = tuple(range(1, weights.w.ndim))
    w = weights.w * scale.w.astype(np.float64)
    b = weights.b + (weights.w * scale.b.astype(np.float64)).sum(axis=axes)
    return Weights(w.astype(np.float32), b.astype(np.float32))


def _of_scaled_depthwise(scale: Weights, weights: Weights) -> Weights | None:
    out = weights.w.shape[-1]
    if out % scale.w.size:
        return None
    factor, term = (np.repeat(v, out // v.size).astype(np.float64) for v in (scale.w, scale.b))
    b: Floats = weights.b + (weights.w * term).sum(axis=(0, 1))
    return Weights((weights.w * factor).astype(np.float32), b.astype(np.float32))


# ---- What is left -------------------------------------------------------------------------------


def _without_scales(graph: FloatGraph) -> FloatGraph:
    """Replaces each remaining scale by a depthwise convolution with a 1x1 kernel."""
    nodes: list[FloatNode] = []
    for node in graph.nodes:
        nodes += _as_depthwise(node) if node.op == "scale" else [node]
    return graph.replaced(nodes, {})


def _as_depthwise(node: FloatNode) -> list[FloatNode]:
    channels = node.shape[-1] if len(node.shape) > 1 else 1
    rows = int(np.prod(node.shape)) // channels
    shape = node.shape if len(node.shape) == 4 else (1, 1, rows, channels)
    w, b = (np.broadcast_to(v, (channels,)).copy() for v in (node.learned.w, node.learned.b))
    weights = Weights(w.reshape(1, 1, channels), b)
    if shape == node.shape:
        return [replace(node, op="depthwise", attrs=Window((1, 1)), weights=weights)]
    before = FloatNode("reshape", f"{node.name}_map", node.inputs, shape)
    inside = FloatNode(
        "depthwise", f"{node.name}_scaled", (before.name,), shape, Window((1, 1)), weights,
        node.bounds,
    )  # fmt: skip
    return [before, inside, FloatNode("reshape", node.name, (inside.name,), node.shape)]


def without_dead(graph: FloatGraph) -> FloatGraph:
    """Keeps only the nodes that the output depends on."""
    needed, kept = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
            kept.append(node)
    return graph.replaced(reversed(kept), {})


def numbered(graph: FloatGraph) -> FloatGraph:
    """Names nodes by operator and position in the execution order."""
    names = {node.name: f"{node.op}_{i}" for i, node in enumerate(graph.nodes)}
    nodes = tuple(
        replace(n, name=names[n.name], inputs=tuple(names.get(i, i) for i in n.inputs))
        for n in graph.nodes
    )
    codings = {names.get(name, name): quant for name, quant in graph.codings.items()}
    return replace(
        graph, nodes=nodes, output=names.get(graph.output, graph.output), codings=codings
    )
