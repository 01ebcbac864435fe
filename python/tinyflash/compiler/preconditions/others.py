"""Preconditions of shapes, and of operators without weights, forward."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.constants import mean_constants, mul_multiplier, quant_of, scale_of
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.graph import Graph, MeanAttrs, Node, TakeAttrs, TransposeAttrs, WindowAttrs

LARGEST_SIDE = 65535  # of a map: 16 bits
LARGEST_TAP = 255  # of a kernel, stride, dilation or padding: 8 bits
INT32_MAX = 2**31 - 1


def rows(graph: Graph, node: Node) -> str:
    """10.1, of what the node computes; a band counts its rows in 16 bits."""
    count = rows_computed(graph, node)
    text = f"a map of {count:,} rows; at most 65,535 are supported"
    return text if count > LARGEST_SIDE else ""


def map_sides(graph: Graph, node: Node) -> str:
    """10.2."""
    for tensor in (node.inputs["x"], node.outputs["y"]):
        sides = graph.tensors[tensor].shape[-3:]
        if max(sides) > LARGEST_SIDE:
            shape = " x ".join(f"{side:,}" for side in sides)
            return f"a map of {shape}; each is supported up to 65,535"
    return ""


def window(_: Graph, node: Node) -> str:
    """10.3."""
    assert isinstance(node.attrs, WindowAttrs)
    found = node.attrs.window
    values = (*found.kernel, *found.stride, *found.dilation, *found.padding[:2])
    text = f"{max(values)} in its kernel, stride, dilation or padding; at most 255 are supported"
    return text if max(values) > LARGEST_TAP else ""


def transposed(graph: Graph, node: Node) -> str:
    """10.4, of dimensions that are counted in 16 bits."""
    shape = graph.tensors[node.inputs["x"]].shape
    assert isinstance(node.attrs, TransposeAttrs)
    if shape[0] == 1 and node.attrs.order[0] == 0:
        shape = shape[1:]
    if len(shape) > 4:
        return f"transposes {len(shape)} dimensions; at most 4 are supported"
    text = f"transposes a side of {max(shape):,}; at most 65,535 are supported"
    return text if max(shape) > LARGEST_SIDE else ""


def steps(graph: Graph, node: Node) -> str:
    """10.24, so that a place in units of x, and one behind its end, are below 2^31."""
    assert isinstance(node.attrs, TakeAttrs)
    axes = (node.attrs.rows, node.attrs.columns, node.attrs.channels)
    x, y = (graph.tensors[t].shape[-3:] for t in (node.inputs["x"], node.outputs["y"]))
    for taken, size, count in zip(axes, x, y, strict=True):
        largest = max(
            taken.first + (count - 1) * taken.step, size * taken.unit + taken.step - taken.first
        )
        if largest > INT32_MAX:
            return f"takes {count:,} places by {taken.step:,} / {taken.unit:,}, beyond 32 bits"
    return ""


def common_scale(graph: Graph, node: Node) -> str:
    """10.8."""
    a, b = (scale_of(graph, node.inputs[role]) for role in "ab")
    y = scale_of(graph, node.outputs["y"])
    text = f"output scale {y:.3g} is too small for input scales {a:.3g} and {b:.3g}"
    return "" if 2 * max(a, b) / (2**20 * y) < 1 else text


def product(graph: Graph, node: Node) -> str:
    """10.9. The products of two centred bytes have 16 bits."""
    _, shift = mul_multiplier(graph, node)
    a, b = (scale_of(graph, node.inputs[role]) for role in "ab")
    y = scale_of(graph, node.outputs["y"])
    text = f"output scale {y:.3g} is too small for input scales {a:.3g} and {b:.3g}"
    return "" if shift <= 14 else text


def averaged(graph: Graph, node: Node) -> str:
    """10.10."""
    assert isinstance(node.attrs, MeanAttrs)
    count = prod(graph.tensors[node.inputs["x"]].shape[axis] for axis in node.attrs.axes)
    zero = quant_of(graph, node.inputs["x"]).zero
    largest = count * max(127 - zero, zero + 128)
    if largest > INT32_MAX:
        return f"averages {count:,} elements, whose sum could leave 32 bits"
    _, shift = mean_constants(graph, node, count)
    x, y = (scale_of(graph, t) for t in (node.inputs["x"], node.outputs["y"]))
    text = f"output scale {y:.3g} is too small for input scale {x:.3g}"
    sum_limit = 2 ** (31 - min(shift, 31)) - 2**8 if shift >= 0 else INT32_MAX  # L of SPEC 6.5
    return text if shift > 30 or largest > sum_limit else ""


def classes_of_softmax(graph: Graph, node: Node) -> str:
    """10.11."""
    classes = graph.tensors[node.inputs["x"]].shape[-1]
    text = f"softmax of {classes:,} classes; at most 511 are supported"
    return text if classes > 511 else ""


def exponentials(graph: Graph, node: Node) -> str:
    """10.12."""
    table = graph.tensors[node.inputs["table"]].data
    assert table is not None
    sound = table[0] == INT32_MAX and table.min() >= 0
    return "" if sound else "the table of its exponentials does not begin at 1, or is negative"
