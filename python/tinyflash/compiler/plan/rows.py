"""Finds which rows of its operands a node reads for each row that it computes.

Kernels compute rows of a map in ascending order (kernels.h). So these rows decide when a row can be
computed, how long it is needed, and where an output may overwrite an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from tinyflash.compiler.plan.calls import rows_computed, rows_of
from tinyflash.graph import (
    AxisAttrs,
    DenseAttrs,
    Graph,
    Node,
    PadAttrs,
    TakeAttrs,
    Window,
    WindowAttrs,
)

# Half-open ranges, one for each row computed.
Span = tuple[int, int]


@dataclass(frozen=True)
class Rows:
    """A node as the planner sees it: it computes rows 0 .. count - 1 of its output, ascending.

    reads: for each operand in the arena, the rows of it that each row needs. cut: whether the
    kernel can compute only some of its rows. A node without row rules is one row that reads
    everything.
    """

    count: int
    reads: Mapping[str, tuple[Span, ...]]
    cut: bool

    @cached_property
    def lowest(self) -> Mapping[str, tuple[int, ...]]:
        """For each operand, the first row of it that each row, or a later one, needs."""
        firsts = {t: [first for first, _ in spans] for t, spans in self.reads.items()}
        return {t: tuple(accumulate(reversed(f), min))[::-1] for t, f in firsts.items()}


def rows(graph: Graph, node: Node) -> Rows:
    """Returns the rows of a node of `graph`."""
    if node.op == "source":
        return Rows(rows_computed(graph, node), {}, cut=True)
    rule = RULES.get(node.op)
    count = rows_computed(graph, node)
    spans = rule(graph, node, count) if rule is not None else None
    if spans is None:
        return _whole(graph, node, count)
    operands = {role: t for role, t in node.inputs.items() if in_arena(graph, t)}
    reads: dict[str, tuple[Span, ...]] = {}
    for role, tensor in operands.items():
        found = spans.get(role) or ((0, rows_of(graph, tensor)),) * count
        reads[tensor] = _united(reads[tensor], found) if tensor in reads else found
    return Rows(count, reads, node.operator.banded)


def in_arena(graph: Graph, tensor: str) -> bool:
    return graph.tensors[tensor].kind not in ("constant", "trainable")


def _whole(graph: Graph, node: Node, count: int) -> Rows:
    """Every row reads all of every operand."""
    operands = [t for t in node.inputs.values() if in_arena(graph, t)]
    reads = {t: ((0, rows_of(graph, t)),) * count for t in operands}
    return Rows(count, reads, cut=False)


def _united(a: tuple[Span, ...], b: tuple[Span, ...]) -> tuple[Span, ...]:
    """Joins the reads of a node that has one tensor in two roles."""
    return tuple((min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a, b, strict=True))


Spans = dict[str, tuple[Span, ...]]
_Rule = Callable[[Graph, Node, int], Spans | None]


def _clipped(low: int, high: int, extent: int) -> Span:
    low = min(max(low, 0), extent)
    return low, max(low, min(high, extent))


def _window(node: Node) -> Window:
    assert isinstance(node.attrs, WindowAttrs)
    return node.attrs.window


def _slides(graph: Graph, node: Node, count: int) -> Spans:
    """Row r of y reads the rows under the window there."""
    window, extent = _window(node), rows_of(graph, node.inputs["x"])
    tops = [row * window.stride[0] - window.padding[0] for row in range(count)]
    return {"x": tuple(_clipped(top, top + _reach(window) + 1, extent) for top in tops)}


def _reach(window: Window) -> int:
    """Rows from the first to the last one under a window."""
    return (window.kernel[0] - 1) * window.dilation[0]


def _covering(graph: Graph, node: Node, count: int) -> Spans:
    """Row r of dx reads the rows of dy whose windows cover it."""
    window, extent = _window(node), rows_of(graph, node.inputs["dy"])
    stride, top = window.stride[0], window.padding[0]
    spans = []
    for row in range(count):
        first = -((_reach(window) - row - top) // stride)
        spans.append(_clipped(first, (row + top) // stride + 1, extent))
    return {"dy": tuple(spans)}


def _largest(graph: Graph, node: Node, count: int) -> Spans:
    """Max pool: row r also reads all of x under those windows, to find the largest element."""
    window, extent = _window(node), rows_of(graph, node.inputs["x"])
    stride, top = window.stride[0], window.padding[0]
    spans = _covering(graph, node, count)
    under = tuple(
        _clipped(first * stride - top, (end - 1) * stride - top + _reach(window) + 1, extent)
        for first, end in spans["dy"]
    )
    return {**spans, "x": under}


def _alike(graph: Graph, node: Node, count: int) -> Spans | None:
    """Row r reads row r of every operand with the same number of rows."""
    same = tuple((row, row + 1) for row in range(count))
    operands = {role: t for role, t in node.inputs.items() if in_arena(graph, t)}
    maps = {role: same for role, t in operands.items() if rows_of(graph, t) == count}
    return maps or None


def _dense(graph: Graph, node: Node, count: int) -> Spans | None:
    """By rows only if it reads position by position; otherwise one row reads everything."""
    assert isinstance(node.attrs, DenseAttrs)
    role = "x" if "x" in node.inputs else "dy"
    weights = [graph.tensors[node.inputs[r]] for r in ("w", "w_frozen") if r in node.inputs]
    depth = sum(w.shape[-1] for w in weights) if role == "x" else weights[0].shape[0]
    x = graph.tensors[node.inputs[role]]
    return _alike(graph, node, count) if x.shape[-1] == depth else None


def _channels(graph: Graph, node: Node, count: int) -> Spans | None:
    """By rows only along the channel axis: along others, a row of the output is not made of rows of
    the inputs."""
    assert isinstance(node.attrs, AxisAttrs)
    y = graph.tensors[node.outputs["y"]]
    return _alike(graph, node, count) if node.attrs.axis == len(y.shape) - 1 else None


def _kept(graph: Graph, node: Node, count: int) -> Spans | None:
    """By rows only if the slice of x's channels is stored as a map with the same number of rows."""
    shapes = [graph.tensors[t].shape for t in (node.inputs["x"], node.outputs["y"])]
    return _alike(graph, node, count) if shapes[0][:-1] == shapes[1][:-1] else None


def _padded(graph: Graph, node: Node, count: int) -> Spans:
    assert isinstance(node.attrs, PadAttrs)
    top, extent = node.attrs.before[0], rows_of(graph, node.inputs["x"])
    return {"x": tuple(_clipped(row - top, row - top + 1, extent) for row in range(count))}


def _unpadded(graph: Graph, node: Node, count: int) -> Spans | None:
    forward = graph.node(node.layer, "pad")
    assert isinstance(forward.attrs, PadAttrs)
    top = forward.attrs.before[0]
    return {"dy": tuple((row + top, row + top + 1) for row in range(count))}


def _taken(_: Graph, node: Node, count: int) -> Spans:
    """Row r of y is one row of x."""
    assert isinstance(node.attrs, TakeAttrs)
    steps = node.attrs.rows
    places = [(steps.first + row * steps.step) // steps.unit for row in range(count)]
    return {"x": tuple((place, place + 1) for place in places)}


def _given_back(graph: Graph, node: Node, count: int) -> Spans:
    """Row r of dx reads the rows of dy that are row r of x."""
    assert isinstance(node.attrs, TakeAttrs)
    steps, extent = node.attrs.rows, rows_of(graph, node.inputs["dy"])
    lowest = [-((steps.first - row * steps.unit) // steps.step) for row in range(count + 1)]
    return {"dy": tuple(_clipped(*span, extent) for span in pairwise(lowest))}


RULES: dict[str, _Rule] = {
    "conv2d": _slides,
    "depthwise": _slides,
    "average_pool": _slides,
    "max_pool": _slides,
    "fully_connected": _dense,
    "add": _alike,
    "sub": _alike,
    "mul": _alike,
    "prelu": _alike,
    "maximum": _alike,
    "minimum": _alike,
    "lookup": _alike,
    "softmax": _alike,
    "log_softmax": _alike,
    "mask": _alike,
    "keep": _kept,
    "concatenate": _channels,
    "pad": _padded,
    "take": _taken,
    "conv2d_backward_input": _covering,
    "depthwise_backward_input": _covering,
    "average_pool_backward_input": _covering,
    "max_pool_backward_input": _largest,
    "fully_connected_backward_input": _dense,
    "pad_backward_input": _unpadded,
    "take_backward_input": _given_back,
    "sub_backward_input": _alike,
    "lookup_backward_input": _alike,
    "prelu_backward_input": _alike,
    "maximum_backward_input": _alike,
    "minimum_backward_input": _alike,
    "gradient_add": _alike,
}
