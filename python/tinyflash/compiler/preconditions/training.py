"""Preconditions of gradients, updates and losses."""

from __future__ import annotations

from collections import Counter
from math import ceil, log2, prod

from tinyflash.compiler.constants import (
    cover,
    loss_exponent_of,
    scale_of,
    sums_over_channels,
    terms_backward,
)
from tinyflash.compiler.passes.slopes import LARGEST_SLOPE
from tinyflash.factor import has_factor
from tinyflash.graph import (
    AdvanceAttrs,
    Graph,
    LookupAttrs,
    LossAttrs,
    Node,
    PartAttrs,
    TakeAttrs,
    WindowAttrs,
)
from tinyflash.layers import source_rows, weight_scales

# The most positions for which a sum of gradients times centred inputs fits int32 (SPEC 4.6, 6.1).
LARGEST_SUM = (2**31 - 1) // (127 * 255)
LARGEST_BIAS_SUM = (2**31 - 1) // 127
LARGEST_COUNT = 65535  # of classes, of elements of a target, of steps that are gathered
LEAST_RECIPROCAL = 128
LARGEST_GRADIENT_SUM = (2**31 - 1) // (32 * 128)  # 32: the largest t of SPEC 4.1 with q = 9


def _forward(graph: Graph, node: Node) -> Node:
    return graph.node(node.layer, node.operator.forward)


def reciprocals(graph: Graph, node: Node) -> str:
    """10.13."""
    layer = _forward(graph, node)
    assert isinstance(layer.attrs, WindowAttrs)
    q = 23 - ceil(log2(cover(graph, layer)))
    inside = _positions_inside(graph, layer)
    text = (
        f"the gradient of an average over {inside:,} positions, of which {2 ** (23 - q):,} windows "
        "or more read one, has fewer than 8 bits; average in two steps, or stride more"
    )
    return text if 2**q < LEAST_RECIPROCAL * inside else ""


def _positions_inside(graph: Graph, layer: Node) -> int:
    """The most positions of a window inside the map."""
    assert isinstance(layer.attrs, WindowAttrs)
    window = layer.attrs.window
    (xs, ys) = (graph.tensors[t].shape[-3:-1] for t in (layer.inputs["x"], layer.outputs["y"]))
    sides = zip(xs, ys, window.kernel, window.stride, window.padding[:2], strict=True)
    return prod(
        max(min(o * s - p + k, x) - max(o * s - p, 0) for o in range(y)) for x, y, k, s, p in sides
    )


def slope(graph: Graph, node: Node) -> str:
    """10.14."""
    attrs = _forward(graph, node).attrs
    assert isinstance(attrs, LookupAttrs)
    text = f"{attrs.function} by {attrs.alpha:.3g} has a slope of 2 or more"
    return "" if abs(attrs.alpha) < LARGEST_SLOPE else text


def readers_of_an_element(graph: Graph, node: Node) -> str:
    """10.25, of a take: the most elements of y that are one element of x."""
    layer = _forward(graph, node)
    assert isinstance(layer.attrs, TakeAttrs)
    axes = (layer.attrs.rows, layer.attrs.columns, layer.attrs.channels)
    readers = 1
    for taken, count in zip(axes, graph.tensors[layer.outputs["y"]].shape[-3:], strict=True):
        places = Counter((taken.first + i * taken.step) // taken.unit for i in range(count))
        readers *= max(places.values())
    text = (
        f"repeats an element {readers:,} times, whose gradients' sum could leave 32 bits; at most "
        f"{LARGEST_BIAS_SUM:,} are supported"
    )
    return text if readers > LARGEST_BIAS_SUM else ""


def rows_of_product(graph: Graph, node: Node) -> str:
    """10.15, of the operand that is one row."""
    assert isinstance(node.attrs, PartAttrs)
    if node.attrs.index == 0:
        return ""
    rows = graph.tensors[node.inputs["dy"]].size // graph.tensors[node.outputs["dx"]].size
    text = (
        f"multiplies {rows:,} rows by one; at most {LARGEST_SUM:,} are supported, since their "
        "gradients are added up in 32 bits"
    )
    return text if rows > LARGEST_SUM else ""


def positions(graph: Graph, node: Node) -> str:
    """10.16."""
    layer = _forward(graph, node)
    y = graph.tensors[layer.outputs["y"]]
    found = y.size // y.shape[-1]
    text = (
        f"is trained on a map of {found:,} positions; at most {LARGEST_SUM:,} are supported, since "
        "their gradients are added up in 32 bits; train later layers only"
    )
    return text if found > LARGEST_SUM else ""


def judged_positions(graph: Graph, node: Node) -> str:
    """10.37."""
    y = graph.tensors[node.inputs["y"]]
    found = y.size // y.shape[-1]
    text = (
        f"its channels are judged on a map of {found:,} positions; at most {LARGEST_SUM:,} are "
        "supported; judge later layers only (fisher in the scheme)"
    )
    return text if found > LARGEST_SUM else ""


def bias_positions(graph: Graph, node: Node) -> str:
    """10.17."""
    found = graph.tensors[node.inputs["dy"]].size // graph.tensors[node.inputs["b"]].size
    text = (
        f"its bias is trained on {found:,} positions; at most {LARGEST_BIAS_SUM:,} are supported, "
        "since their gradients are added up in 32 bits"
    )
    return text if found > LARGEST_BIAS_SUM else ""


def rates(graph: Graph, node: Node) -> str:
    """10.18."""
    layer = next(n for n in graph.named(node.layer) if n.operator.weighted)
    s_x, scales = scale_of(graph, layer.inputs["x"]), weight_scales(graph, layer)
    ends = [s for s in (min(scales), max(scales)) if s > 0]
    reals = [1 / (s_x * s) if "b" in node.inputs else s_x / s for s in ends]
    rule = node.descent
    sound = all(map(has_factor, (rule.decay, *(rule.rate * real for real in reals))))
    text = f"its rate, {rule.rate:.3g} times the learning rate, or its decay is out of range"
    return "" if sound else text


def rule(_: Graph, node: Node) -> str:
    """10.19."""
    rule = node.descent
    if not 0 <= rule.momentum < 1:
        return f"momentum {rule.momentum} is not below 1"
    counts = {"accumulates": (rule.every, 1), "skips above": (rule.clipped_limit, 0)}
    for what, (value, least) in counts.items():
        if not least <= value <= LARGEST_COUNT:
            return f"{what} {value:,}; {least} to {LARGEST_COUNT:,} are supported"
    return ""


def classes(graph: Graph, node: Node) -> str:
    """10.20."""
    found = graph.tensors[node.inputs["x"]].size
    text = f"learns {found:,} classes; at most {LARGEST_COUNT:,} are supported"
    return text if found > LARGEST_COUNT else ""


def targets(graph: Graph, node: Node) -> str:
    """10.21."""
    found = graph.tensors[node.inputs["x"]].size
    text = f"the output has {found:,} elements, above {LARGEST_COUNT:,}"
    return text if found > LARGEST_COUNT else ""


def loss_exponent(graph: Graph, node: Node) -> str:
    """10.22."""
    quant = graph.tensors[node.inputs["x"]].quant
    assert quant is not None
    text = (
        f"the output's scale, {quant.scale[0]:.3g}, is beyond the range of a gradient; train the "
        "network on numbers nearer to 1"
    )
    return "" if -64 <= loss_exponent_of(graph, node) <= -2 else text


def source_numbers(graph: Graph, node: Node) -> str:
    """10.30, of the channels' numbers in the source, which select random bits."""
    layer = next(n for n in graph.named(node.layer) if n.operator.weighted)
    rows = source_rows(graph, layer, "b" if "b" in node.inputs else "w")
    if rows == tuple(range(len(rows))):
        return ""
    text = f"trains channel {max(rows):,} of the source; numbers up to 65,535 are supported"
    return text if max(rows) > LARGEST_COUNT else ""


def smoothing(_: Graph, node: Node) -> str:
    """10.31."""
    assert isinstance(node.attrs, LossAttrs)
    share = node.attrs.smoothing
    return "" if 0 <= share < 1 else f"label smoothing of {share}; 0 up to below 1 is supported"


def gradients(graph: Graph, _: Node) -> str:
    """10.32. The state counts their scales in 16 bits."""
    makers = (n for n in graph.nodes if not n.operator.view_of)
    made = (graph.tensors[t].kind for n in makers for t in n.outputs.values())
    found = sum(kind == "gradient" for kind in made)
    text = f"computes {found:,} gradients; at most {LARGEST_COUNT:,} are supported"
    return text if found > LARGEST_COUNT else ""


def terms_of_gradient(graph: Graph, node: Node) -> str:
    """10.34. A depthwise layer of multiplier 1 rescales nothing: its 255 * 255 taps always fit."""
    layer = _forward(graph, node)
    found = terms_backward(graph, layer)
    text = (
        f"adds up to {found:,} gradients for one of its input, in 32 bits; at most "
        f"{LARGEST_GRADIENT_SUM:,} are supported; train later layers only"
    )
    return text if sums_over_channels(graph, layer) and found > LARGEST_GRADIENT_SUM else ""


def headroom(_: Graph, node: Node) -> str:
    """10.23."""
    assert isinstance(node.attrs, AdvanceAttrs)
    found = node.attrs.headroom
    return "" if 0 <= found <= 6 else f"headroom of {found} bits; 0 to 6 are supported"
