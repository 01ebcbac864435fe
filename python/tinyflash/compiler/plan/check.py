"""Checks a plan by running the graph on colours, call by call and row by row: every write paints
the bytes of its row in a unique colour, and every read must find its rows intact.

It shares no code with the modules it checks. It states again which rows a kernel reads and when it
writes, and computes no lifetimes or overlaps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.plan.planner import Plan
from tinyflash.errors import InternalError
from tinyflash.graph import AxisAttrs, Graph, Node, PadAttrs, TakeAttrs, WindowAttrs

# Read before the same element is written, so the output may be on or below these operands.
_MAY_OVERWRITE = {
    "add": {"a", "b"},
    "sub": {"a", "b"},
    "mul": {"a", "b"},
    "maximum": {"a", "b"},
    "minimum": {"a", "b"},
    "lookup": {"x"},
    "prelu": {"x"},
    "gradient_add": {"a", "b"},
}
_VIEWS = {"reshape": "x", "reshape_backward_input": "dy"}
_WINDOWS = ("conv2d", "depthwise", "average_pool", "max_pool")
# Kernels that can compute some of their rows.
_BANDED = (
    *(*_WINDOWS, "source", "fully_connected", "add", "sub", "maximum", "minimum"),
    *("mul", "prelu", "softmax", "lookup", "mask", "keep", "concatenate", "pad", "take"),
    "log_softmax",
)
_ROW_BY_ROW = (
    *("add", "sub", "mul", "prelu", "maximum", "minimum", "softmax", "lookup", "mask"),
    *("gradient_add", "sub_backward_input", "lookup_backward_input"),
    *("maximum_backward_input", "minimum_backward_input", "prelu_backward_input"),
    "log_softmax",
)
_ALIGNMENT = 4
_SPOILED = -1  # the colour of scratch, which no row has
Colours = npt.NDArray[np.int64]
_ROWS = 1 << 16  # a map has fewer


def check(graph: Graph, plan: Plan) -> None:
    """Raises InternalError if a node of `graph` finds an operand overwritten under `plan`, or if a
    row is not computed exactly once."""
    canvas = _Canvas(graph, plan)
    for tensor in _given(graph):
        canvas.paint(tensor, range(canvas.height(tensor)))
    done = [0] * len(graph.nodes)
    for call in plan.calls:
        node = graph.nodes[call.node]
        where = f"node {call.node} ({node.op} {node.name})"
        total = _height_of_result(canvas, node)
        last = call.first + call.count
        whole = call.first == 0 and call.count == total
        if call.count < 1 or call.first != done[call.node] or last > total:
            raise InternalError(f"plan: {where} computes rows {call.first} to {last} of {total}")
        if not (whole or node.op in _BANDED):
            raise InternalError(f"plan: {where} cannot be cut")
        done[call.node] = last
        _use_scratch(canvas, node, where)
        _execute(canvas, node, range(call.first, last), where)
    for index, node in enumerate(graph.nodes):
        if done[index] != _height_of_result(canvas, node):
            raise InternalError(f"plan: node {index} ({node.op} {node.name}) is not computed whole")
    canvas.read(graph.output.tensor, range(canvas.height(graph.output.tensor)), "the caller")


class _Canvas:
    """The arena: for each byte, the colour of the tensor and row last written there."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.graph, self.rings, self.scratch = graph, plan.rings, plan.scratch
        self.bytes = np.zeros(plan.arena_bytes, np.int64)
        self.offsets = {t: p.offset for p in plan.placements for t in p.storage.tensors}
        self.colours = {
            name: self._palette(name, i + 1)
            for i, name in enumerate(graph.tensors)
            if _in_arena(graph, name)
        }

    def _palette(self, tensor: str, number: int) -> Colours:
        """Returns a colour for each byte of a row, unique to this tensor and row."""
        height = self.height(tensor)
        rows = number * _ROWS + np.arange(height, dtype=np.int64)
        return np.repeat(rows, self.graph.tensors[tensor].nbytes // height)

    def height(self, tensor: str) -> int:
        """Returns the rows of a map. Any other tensor is one row."""
        shape = self.graph.tensors[tensor].shape
        return shape[-3] if len(shape) >= 3 else 1

    def ring(self, tensor: str) -> int:
        return self.rings.get(tensor, self.height(tensor))

    def region(self, tensor: str, row: int = 0, count: int | None = None) -> slice:
        """Returns the bytes of `count` rows from `row` on, which must not wrap. Default: all
        rows."""
        if tensor not in self.offsets:
            raise InternalError(f"plan: tensor {tensor} has no place in the arena")
        ring, size = self.ring(tensor), self.graph.tensors[tensor].nbytes // self.height(tensor)
        if not 1 <= ring <= self.height(tensor):
            raise InternalError(f"plan: tensor {tensor} is a ring of {ring} rows")
        start = self.offsets[tensor]
        if start < 0 or start % _ALIGNMENT or start + ring * size > len(self.bytes):
            raise InternalError(
                f"plan: tensor {tensor} at [{start}, {start + ring * size}) is outside of the "
                "arena or unaligned"
            )
        first = start + row % ring * size
        return slice(first, first + (ring if count is None else count) * size)

    def view(self, of: str, tensor: str, where: str) -> None:
        """Makes `tensor` the same bytes as `of`, with another shape."""
        if self.region(tensor) != self.region(of) or tensor in self.rings or of in self.rings:
            raise InternalError(f"plan: {where}: {tensor} is not where {of} is")
        self.colours[tensor] = self.colours[of]

    def colour(self, tensor: str, row: int) -> Colours:
        """Returns the colours of a row's bytes while the row is intact."""
        size = self.graph.tensors[tensor].nbytes // self.height(tensor)
        return self.colours[tensor][row * size : (row + 1) * size]

    def paint(self, tensor: str, rows: range) -> None:
        for row in rows:
            self.bytes[self.region(tensor, row, 1)] = self.colour(tensor, row)

    def paint_bits(self, mask: str, first: int, end: int, where: str) -> None:
        """Paints bits [first, end) of a mask. Earlier bits in the first byte must be intact."""
        region, colours = self.region(mask), self.colours[mask]
        at, stop = first // 8, -(-end // 8)
        if first % 8 and self.bytes[region.start + at] != colours[at]:
            raise InternalError(f"plan: {where} finds a part of {mask} overwritten")
        self.bytes[region.start + at : region.start + stop] = colours[at:stop]

    def read(self, tensor: str, rows: Sequence[int], where: str) -> None:
        if tensor not in self.rings and len(rows) == self.height(tensor):
            intact = bool((self.bytes[self.region(tensor)] == self.colours[tensor]).all())
        else:
            intact = all(
                (self.bytes[self.region(tensor, row, 1)] == self.colour(tensor, row)).all()
                for row in rows
            )
        if not intact:
            raise InternalError(
                f"plan: {where} reads rows {rows[0]} to {rows[-1]} of {tensor} before they are "
                "there, or after some of them were overwritten"
            )


def _given(graph: Graph) -> list[str]:
    """Returns the tensors that the caller writes before the first call."""
    sourced = any(node.op == "source" for node in graph.nodes)
    return [*([] if sourced else [graph.input.tensor]), *([graph.target] if graph.target else [])]


def _in_arena(graph: Graph, tensor: str) -> bool:
    return graph.tensors[tensor].kind not in ("constant", "trainable")


def _height_of_result(canvas: _Canvas, node: Node) -> int:
    """Returns how many rows a node computes: those of its result; for a mask, those of its
    input."""
    if node.op == "mask":
        return canvas.height(node.inputs["y"])
    result = next(iter(node.outputs.values()), None)
    return 1 if result is None else canvas.height(result)


def _use_scratch(canvas: _Canvas, node: Node, where: str) -> None:
    """Spoils the scratch of a kernel before it reads anything. Its outputs are elsewhere."""
    if not node.scratch:
        return
    start = canvas.scratch(node)
    used = range(start, start + node.scratch)
    if start < 0 or start % _ALIGNMENT or used.stop > len(canvas.bytes):
        raise InternalError(f"plan: {where}: its scratch is outside of the arena or unaligned")
    for output in node.outputs.values():
        region = canvas.region(output)
        if max(region.start, used.start) < min(region.stop, used.stop):
            raise InternalError(f"plan: {where} writes {output} over its scratch")
    canvas.bytes[used.start : used.stop] = _SPOILED


def _execute(canvas: _Canvas, node: Node, rows: range, where: str) -> None:
    """Runs one call. A kernel without row rules reads and writes everything at once."""
    if node.op in _VIEWS:
        (y,) = node.outputs.values()
        canvas.read(node.inputs[_VIEWS[node.op]], _all(canvas, node.inputs[_VIEWS[node.op]]), where)
        canvas.view(node.inputs[_VIEWS[node.op]], y, where)
        return
    operands = {role: t for role, t in node.inputs.items() if _in_arena(canvas.graph, t)}
    apart = all(_apart(canvas, node, tensor) for tensor in operands.values())
    # If outputs and operands share no bytes, all rows are checked in one step. A concatenation
    # copies all rows of one operand before those of the next.
    at_once = apart or node.at_once or node.op == "concatenate"
    for step in [rows] if at_once else [range(row, row + 1) for row in rows]:
        for role, tensor in operands.items():
            wanted = _rows_read(canvas, node, role, step)
            canvas.read(tensor, wanted, where)
            _check_own(canvas, node, role, wanted, step, where)
        _write(canvas, node, step, where)


def _all(canvas: _Canvas, tensor: str) -> range:
    return range(canvas.height(tensor))


def _apart(canvas: _Canvas, node: Node, operand: str) -> bool:
    """Whether the node's outputs share no byte with the operand."""
    x = canvas.region(operand)
    outs = [canvas.region(t) for t in node.outputs.values()]
    return all(x.stop <= y.start or y.stop <= x.start for y in outs)


def _rows_read(canvas: _Canvas, node: Node, role: str, step: range) -> list[int]:
    """Returns the rows of an operand that some rows of the result depend on."""
    tensor = node.inputs[role]
    height = canvas.height(tensor)
    if role == "mask":
        return list(range(height))
    forward = node.op.removesuffix("_backward_input")
    if forward in _WINDOWS:
        found = _under_windows(canvas, node, role, step)
    elif forward == "pad":
        pad = node if node.op == forward else canvas.graph.node(node.layer, "pad")
        assert isinstance(pad.attrs, PadAttrs)
        top = pad.attrs.before[0] if node.op == forward else -pad.attrs.before[0]
        found = {row - top for row in step}
    elif forward == "take":
        found = _rows_taken(node, role, step, height)
    elif _by_rows(canvas, node, tensor):
        found = set(step)
    else:
        found = set(range(height))
    return sorted(row for row in found if 0 <= row < height)


def _rows_taken(node: Node, role: str, step: range, height: int) -> set[int]:
    """Returns rows of x for rows of y; rows of dy for rows of dx."""
    assert isinstance(node.attrs, TakeAttrs)
    rows = node.attrs.rows

    def place(row: int) -> int:
        return (rows.first + row * rows.step) // rows.unit

    if role == "x":
        return {place(row) for row in step}
    return {row for row in range(height) if place(row) in step}


def _under_windows(canvas: _Canvas, node: Node, role: str, step: range) -> set[int]:
    """Returns rows of x for rows of y; rows of dy, and of x, for rows of dx."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    top, stride = window.padding[0], window.stride[0]
    taps = [tap * window.dilation[0] for tap in range(window.kernel[0])]
    if "y" in node.outputs:
        return {row * stride - top + tap for row in step for tap in taps}
    height = canvas.height(node.inputs["dy"])
    covering = {
        (row + top - tap) // stride
        for row in step
        for tap in taps
        if (row + top - tap) % stride == 0 and 0 <= (row + top - tap) // stride < height
    }
    return covering if role == "dy" else {y * stride - top + t for y in covering for t in taps}


def _by_rows(canvas: _Canvas, node: Node, tensor: str) -> bool:
    """Whether row r of the result depends only on row r of an operand."""
    if canvas.height(tensor) != _height_of_result(canvas, node):
        return False
    graph = canvas.graph
    shape = graph.tensors[tensor].shape
    if node.op == "concatenate":
        assert isinstance(node.attrs, AxisAttrs)
        return node.attrs.axis == len(shape) - 1
    if node.op == "keep":
        return graph.tensors[node.outputs["y"]].shape[:-1] == shape[:-1]
    if node.op in ("fully_connected", "fully_connected_backward_input"):
        result = graph.tensors[next(iter(node.outputs.values()))].shape
        return math.prod(result[:-1]) == math.prod(shape[:-1])
    return node.op in _ROW_BY_ROW


def _check_own(
    canvas: _Canvas, node: Node, role: str, wanted: Sequence[int], step: range, where: str
) -> None:
    """Rejects a row written over rows that it reads itself, unless element by element from
    below."""
    tensor = node.inputs[role]
    for output in node.outputs.values():
        alike = canvas.graph.tensors[output].size == canvas.graph.tensors[tensor].size
        below = alike and role in _MAY_OVERWRITE.get(node.op, ())
        out = _written(canvas, node, output, step)
        for row in wanted:
            x = canvas.region(tensor, row, 1)
            touches = max(x.start, out.start) < min(x.stop, out.stop)
            if touches and not (below and out.start <= x.start):
                raise InternalError(f"plan: {where} writes {output} over its operand {tensor}")


def _written(canvas: _Canvas, node: Node, output: str, step: range) -> slice:
    """Returns the bytes that a step writes. A step that wraps around a ring writes the whole
    ring."""
    if node.op == "mask":
        start = canvas.region(output).start
        first, end = _bits(canvas, node, step)
        return slice(start + first // 8, start + -(-end // 8))
    ring = canvas.ring(output)
    if step.start % ring + len(step) > ring:
        return canvas.region(output)
    return canvas.region(output, step.start, len(step))


def _bits(canvas: _Canvas, node: Node, step: range) -> tuple[int, int]:
    source = node.inputs["y"]
    size = canvas.graph.tensors[source].size // canvas.height(source)
    return step.start * size, step.stop * size


def _write(canvas: _Canvas, node: Node, step: range, where: str) -> None:
    for output in node.outputs.values():
        if node.op == "mask":
            canvas.paint_bits(output, *_bits(canvas, node, step), where)
        else:
            canvas.paint(output, step)
