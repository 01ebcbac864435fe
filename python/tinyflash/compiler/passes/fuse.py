"""Fuses clips and padding into neighbouring operators, if inference stays bit-equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflash.graph import (
    Attrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    Node,
    PadAttrs,
    WindowAttrs,
)
from tinyflash.limits import LARGEST_TAP

_LOWEST = -128


def fuse(graph: Graph) -> Graph:
    """Returns a forward graph with fewer nodes. Clips come first, since a pad may follow one."""
    return _fuse_pads(_fuse_clips(graph))


# ---- A function that only clips, into what makes its input ---------------------------------------


def _fuse_clips(graph: Graph) -> Graph:
    made: dict[str, Node] = {}
    for node in graph.nodes:
        fused = _clipped(graph, made, node)
        if fused is not None:
            del made[node.inputs["x"]]
        made[node.outputs["y"]] = fused or node
    return graph.with_nodes(made.values())


def _clipped(graph: Graph, made: dict[str, Node], node: Node) -> Node | None:
    """Returns the node's producer with the node's clip fused into it. None if the node is not a
    clip, or if other nodes read its input. A clip of logits stays: the gradient would pass a
    layer's clip, but not a function's."""
    if node.op != "lookup":
        return None
    x, y = node.inputs["x"], node.outputs["y"]
    producer = made.get(x)
    alone = len(graph.readers(x)) == 1 and x not in (graph.output.tensor, graph.logits)
    if producer is None or not producer.operator.clipped or not alone or y == graph.logits:
        return None
    assert isinstance(producer.attrs, WindowAttrs | DenseAttrs | ClipAttrs)
    clip = _clip_of(graph, node, producer.attrs.clip)
    if clip is None or graph.tensors[x].quant != graph.tensors[y].quant:
        return None
    return replace(producer, outputs={"y": y}, attrs=replace(producer.attrs, clip=clip))


def _clip_of(graph: Graph, node: Node, given: Clip) -> Clip | None:
    """Returns the two bounds, if the table only clips `given`: it keeps each byte between the
    bounds and maps the others to the nearest bound. Otherwise None."""
    assert isinstance(node.attrs, LookupAttrs)
    table = np.asarray(graph.tensors[node.inputs["table"]].data)
    stored = np.arange(given.low, given.high + 1)
    found = table[stored & 0xFF]
    low, high = int(found.min()), int(found.max())
    return Clip(low, high) if np.array_equal(found, np.clip(stored, low, high)) else None


# ---- Padding, into what reads it -----------------------------------------------------------------


def _fuse_pads(graph: Graph) -> Graph:
    pads = {n.outputs["y"]: n for n in graph.nodes if n.op == "pad" and _all_take(graph, n)}
    nodes = []
    for node in graph.nodes:
        pad = pads.get(node.inputs.get("x", ""))
        if pad is not None:
            inputs = {**node.inputs, "x": pad.inputs["x"]}
            node = replace(node, inputs=inputs, attrs=_widened(node.attrs, pad))
        if node.outputs["y"] not in pads:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _all_take(graph: Graph, pad: Node) -> bool:
    """Whether every reader of the padded map can pad by itself."""
    x, y = graph.tensors[pad.inputs["x"]], graph.tensors[pad.outputs["y"]]
    if y.name in (graph.output.tensor, graph.logits) or x.quant != y.quant:
        return False
    return x.kind == "activation" and all(_takes(graph, n, pad) for n in graph.readers(y.name))


def _takes(graph: Graph, node: Node, pad: Node) -> bool:
    """Whether a node can take over the padding. A convolution skips its padding, because the zero
    point adds nothing. A max pool ignores the lowest value, unless a whole window is padding."""
    assert isinstance(pad.attrs, PadAttrs)
    pads_with, quant = node.operator.pads_with, graph.tensors[pad.inputs["x"]].quant
    if not pads_with or quant is None or pad.attrs.before[2] or pad.attrs.after[2]:
        return False
    window = _widened(node.attrs, pad).window
    reach = [(k - 1) * d for k, d in zip(window.kernel, window.dilation, strict=True)]
    sides = zip(window.padding, reach * 2, strict=True)
    covered = all(side <= min(r, LARGEST_TAP) for side, r in sides)
    return covered and pad.attrs.value == (_LOWEST if pads_with == "lowest" else quant.zero)


def _widened(attrs: Attrs, pad: Node) -> WindowAttrs:
    """Returns the window with the pad's rows and columns added."""
    assert isinstance(attrs, WindowAttrs)
    assert isinstance(pad.attrs, PadAttrs)
    amounts = (*pad.attrs.before[:2], *pad.attrs.after[:2])
    padding = tuple(a + b for a, b in zip(attrs.window.padding, amounts, strict=True))
    top, left, bottom, right = padding
    window = replace(attrs.window, padding=(top, left, bottom, right))
    return replace(attrs, window=window)
