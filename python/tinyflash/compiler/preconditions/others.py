"""Preconditions of shapes, and of operators without weights, forward."""

from __future__ import annotations

from math import prod

from tinyflash.compiler.constants import mean_constants, quant_of, scale_of
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.factor import has_factor
from tinyflash.graph import (
    ClipAttrs,
    DenseAttrs,
    Graph,
    MeanAttrs,
    Node,
    PadAttrs,
    SoftmaxAttrs,
    TakeAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.limits import INT32_MAX, LARGEST_SIDE, LARGEST_TAP, product_fits, sum_fits

LARGEST_TENSOR = 2**30  # elements

_FACTORS = {"mul": ("a", "b"), "prelu": ("x", "alpha")}


def rows(graph: Graph, node: Node) -> str:
    """10.1, of what the node computes; a band counts its rows in 16 bits."""
    count = rows_computed(graph, node)
    text = f"a map of {count:,} rows; at most 65,535 are supported"
    return text if count > LARGEST_SIDE else ""


def elements(graph: Graph, node: Node) -> str:
    """10.33, of what the node reads and computes."""
    for tensor in (*node.inputs.values(), *node.outputs.values()):
        count = graph.tensors[tensor].size
        if count > LARGEST_TENSOR:
            return f"a tensor of {count:,} elements; at most {LARGEST_TENSOR:,} are supported"
    return ""


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
    sides, padding = (*found.kernel, *found.stride, *found.dilation), found.padding[:2]
    largest, least = max(*sides, *padding), min(*(n - 1 for n in sides), *padding)
    if least < 0:
        return (
            f"kernel {found.kernel}, stride {found.stride}, dilation {found.dilation} and padding "
            f"{padding}; at least 1, and 0 for padding, are supported"
        )
    text = f"{largest:,} in its kernel, stride, dilation or padding; at most 255 are supported"
    return text if largest > LARGEST_TAP else ""


def covered(graph: Graph, node: Node) -> str:
    """10.26, of a pool: the window lies along each side on a position of the map."""
    assert isinstance(node.attrs, WindowAttrs)
    w = node.attrs.window
    xs, ys = (graph.tensors[t].shape[-3:-1] for t in (node.inputs["x"], node.outputs["y"]))
    along = zip(xs, ys, w.kernel, w.stride, w.padding[:2], strict=True)
    inside = all(p < k and (y - 1) * s - p < x for x, y, k, s, p in along)
    return "" if inside else f"padding {w.padding}, with which a window is in the padding alone"


def of_one_unit(graph: Graph, node: Node) -> str:
    """10.27, of what moves or compares stored numbers."""
    units = {_unit(graph, tensor) for tensor in (*node.inputs.values(), *node.outputs.values())}
    text = f"inputs and output with {' and '.join(sorted(units))}; equal ones are supported"
    return text if len(units) > 1 else ""


def _unit(graph: Graph, tensor: str) -> str:
    quant = graph.tensors[tensor].quant  # raw bytes have none
    return f"scale {quant.scale[0]!r}, zero point {quant.zero}" if quant else "no scale"


def clip(_: Graph, node: Node) -> str:
    """10.28, of the bounds of the output, and of what fills a pad."""
    if isinstance(node.attrs, PadAttrs):
        low = high = node.attrs.value
    else:
        assert isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs)
        low, high = node.attrs.clip.low, node.attrs.clip.high
    text = f"stored numbers of {low} to {high}; some of -128 to 127 are supported"
    return "" if -128 <= low <= high <= 127 else text


def beta(_: Graph, node: Node) -> str:
    """10.29."""
    assert isinstance(node.attrs, SoftmaxAttrs)
    found = node.attrs.beta
    return "" if has_factor(found) else f"a softmax of {found:.3g} times x is out of range"


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
    return "" if sum_fits(a, b, y) else text


def product(graph: Graph, node: Node) -> str:
    """10.9. The products of two centred bytes have 16 bits; x of a PReLU alone has 8."""
    a, b = (scale_of(graph, node.inputs[role]) for role in _FACTORS[node.op])
    y = scale_of(graph, node.outputs["y"])
    text = f"output scale {y:.3g} is too small for input scales {a:.3g} and {b:.3g}"
    alone = node.op != "prelu" or a / y < 2**23
    return "" if product_fits(a, b, y) and alone else text


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
    most = 511 if node.op == "softmax" else 4095
    text = f"softmax of {classes:,} classes; at most {most:,} are supported"
    return text if classes > most else ""


def exponentials(graph: Graph, node: Node) -> str:
    """10.12."""
    table = graph.tensors[node.inputs["table"]].data
    assert table is not None
    sound = table[0] == INT32_MAX and table.min() >= 0
    return "" if sound else "the table of its exponentials does not begin at 1, or is negative"
