"""Kernel cases of some rows out of rings, and of outputs that lie upon rows already consumed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tests.lib.case import Case, Memory, capture
from tests.lib.held import Bits, Held, Rows
from tests.lib.subject import PLAIN, Subject
from tests.support.streams import goes_by_rows, maps_of, rows_read

from tinyflash.compiler.plan.calls import rows_computed, rows_of
from tinyflash.graph import Graph, Node, PadAttrs, TakeAttrs, WindowAttrs

BANDS = 3  # of each operator
WINDOWED = ("conv2d", "depthwise", "average_pool", "max_pool")
# Input gradients whose row r is made from the same row of dy.
SAME_ROW = (
    "fully_connected",
    "concatenate",
    "lookup",
    "softmax",
    "mul",
    "prelu",
    "sub",
    "minimum",
    "maximum",
)


def banded(one: Subject) -> Iterator[Case]:
    """Random bands of every forward kernel, all maps in rings of random length."""
    env = one.environment(PLAIN)
    for node in one.graph.nodes[1:]:
        if in_bands(one.graph, node):
            for _ in range(BANDS):
                memory = random_band(one.graph, node, one.rng)
                name = f"{node.op} {node.name}, {one.title}, {memory.band}, {memory.rings}"
                yield capture(env, node, name.replace('"', ""), memory)


def in_bands(graph: Graph, node: Node) -> bool:
    """Whether a node has one kernel that computes any rows of its output."""
    return goes_by_rows(graph, node) and node.op not in ("concatenate", "source")


def random_band(graph: Graph, node: Node, rng: np.random.Generator) -> Memory:
    """A band of a node that goes by rows, and rings that are long enough for it."""
    height = rows_computed(graph, node)
    first = int(rng.integers(height))
    count = int(rng.integers(1, min(height - first, 3) + 1))
    held: dict[str, Held] = {}
    rings: dict[str, int] = {}
    for role, tensor in {**node.inputs, **node.outputs}.items():
        rows = rows_of(graph, tensor)
        low, high = first, first + count
        if role == "mask":
            y = graph.tensors[node.inputs["y"]]
            size = y.size // height
            held[tensor] = Bits(y.size, low * size, high * size)
            continue
        if tensor not in maps_of(graph, node):
            continue
        if role in node.inputs:
            low, high = rows_read(graph, node, tensor, first, count)
        if tensor not in held:  # else it is both operands of a product
            ring = int(rng.integers(max(high - low, 1), rows + 1))
            low = max(0, high - ring) if role in node.inputs else low
            held[tensor] = Rows(graph.tensors[tensor].nbytes // rows, ring, low, high)
            rings[role] = ring
        else:
            rings[role] = rings[next(r for r, t in node.inputs.items() if t == tensor)]
    return Memory(band=(first, count), held=held, rings=rings)


# ---- Overlaps ------------------------------------------------------------------------------------


def overlapping(one: Subject) -> Iterator[Case]:
    """Outputs and input gradients laid over what they are made from, as far as rows allow."""
    env = one.environment(PLAIN)
    for node in one.graph.nodes[1:]:
        memory = overlap(one.graph, node)
        if memory:
            one.disturb(env, node, PLAIN)
            (role,) = memory.alias.values()
            name = f"{node.op} {node.name}, {one.title}, {memory.ahead} bytes ahead of {role}"
            yield capture(env, node, name, memory)


def overlap(graph: Graph, node: Node) -> Memory | None:
    """The output of a node laid over an operand, if it may be."""
    y = "dx" if node.op.endswith("_backward_input") else "y"
    role = _overlapped(graph, node)
    if y not in node.outputs or role is None or "source" in node.op:
        return None
    return Memory({y: role}, _ahead(graph, node, role, y))


def _overlapped(graph: Graph, node: Node) -> str | None:
    """The operand that an output may advance over."""
    op = node.op.removesuffix("_backward_input")
    if op != node.op:
        by_rows = op in (*WINDOWED, *SAME_ROW, "pad", "take") and _by_rows(graph, node)
        return "dy" if by_rows else None
    if node.op == "concatenate" or not goes_by_rows(graph, node):
        return None
    return next(r for r, t in node.inputs.items() if t in maps_of(graph, node))


def _by_rows(graph: Graph, node: Node) -> bool:
    """Of a gradient: whether it is made from dy row by row."""
    dy, dx = (graph.tensors[t].shape for t in (node.inputs["dy"], node.outputs["dx"]))
    forward = graph.node(node.layer, node.op.removesuffix("_backward_input"))
    return len(dy) >= 3 and len(dx) >= 3 and goes_by_rows(graph, forward)


def _ahead(graph: Graph, node: Node, role: str, output: str) -> int:
    """Bytes from y to x, so that no row of y lies on one of x that is still read."""
    x, y = node.inputs[role], node.outputs[output]
    x_row = graph.tensors[x].nbytes // rows_of(graph, x)
    y_row = graph.tensors[y].nbytes // rows_of(graph, y)
    lowest = [_lowest(graph, node, x, row) for row in range(rows_of(graph, y))]
    ahead = max((row + 1) * y_row - low * x_row for row, low in enumerate(lowest))
    return -(-ahead // 4) * 4


def _lowest(graph: Graph, node: Node, x: str, row: int) -> int:
    """The first row of x that the output's rows from `row` on are made from."""
    op = node.op.removesuffix("_backward_input")
    if op == node.op:
        return rows_read(graph, node, x, row, 1)[0]
    low = row
    if op in WINDOWED and isinstance(node.attrs, WindowAttrs):
        w = node.attrs.window
        low = -(-(row + w.padding[0] - (w.kernel[0] - 1) * w.dilation[0]) // w.stride[0])
    elif isinstance(node.attrs, PadAttrs):
        low = row + node.attrs.before[0]
    elif isinstance(node.attrs, TakeAttrs):
        s = node.attrs.rows
        low = sum((s.first + i * s.step) // s.unit < row for i in range(rows_of(graph, x)))
    return min(max(low, 0), rows_of(graph, x))
