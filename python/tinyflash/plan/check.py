"""Checks a plan by executing the graph on paint: every write paints the bytes of its tensor, every
read must find them whole.

It shares no code with lifetimes.py and place.py, which it judges: neither lifetimes nor overlaps
are computed here.
"""

from __future__ import annotations

import numpy as np

from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node
from tinyflash.plan.place import Plan

# Read before the first byte is written, so the output may lie on these operands.
_MAY_OVERWRITE = {
    "add": {"a", "b"},
    "mul": {"a", "b"},
    "lookup": {"x"},
    "gradient_add": {"a", "b"},
    "reshape": {"x"},
    "reshape_backward_input": {"dy"},
}
_VIEWS = {"reshape": "x", "reshape_backward_input": "dy"}
_ALIGNMENT = 4


class _Canvas:
    """Arena bytes, each with the colour of the tensor last written there."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.colours = {name: i + 1 for i, name in enumerate(graph.tensors)}
        self.bytes = np.zeros(plan.arena_bytes, np.int32)
        self.graph = graph
        self.offsets = {t: p.offset for p in plan.placements for t in p.storage.tensors}

    def region(self, tensor: str) -> slice:
        if tensor not in self.offsets:
            raise InternalError(f"plan: tensor {tensor} has no place in the arena")
        start = self.offsets[tensor]
        stop = start + self.graph.tensors[tensor].nbytes
        if start < 0 or start % _ALIGNMENT or stop > len(self.bytes):
            raise InternalError(
                f"plan: tensor {tensor} at [{start}, {stop}) is outside of the arena or unaligned"
            )
        return slice(start, stop)

    def view(self, of: str, tensor: str, where: str) -> None:
        """`tensor` is the same bytes under another shape: it takes the colour of `of`."""
        if self.region(tensor) != self.region(of):
            raise InternalError(f"plan: {where}: {tensor} is not where {of} is")
        self.colours[tensor] = self.colours[of]

    def write(self, tensor: str) -> None:
        self.bytes[self.region(tensor)] = self.colours[tensor]

    def read(self, tensor: str, where: str) -> None:
        if not (self.bytes[self.region(tensor)] == self.colours[tensor]).all():
            raise InternalError(f"plan: {where} reads {tensor} after some of it was overwritten")


def check(graph: Graph, plan: Plan) -> None:
    """Raises InternalError unless every node of `graph` finds its operands intact under `plan`."""
    canvas = _Canvas(graph, plan)
    if graph.producer(graph.input.tensor) is None:
        canvas.write(graph.input.tensor)
    if graph.target:
        canvas.write(graph.target)
    for index, node in enumerate(graph.nodes):
        where = f"node {index} ({node.op} {node.name})"
        for tensor in node.inputs.values():
            if _in_arena(graph, tensor):
                canvas.read(tensor, where)
        _check_overlap(canvas, node, where)
        for tensor in node.outputs.values():
            if node.op in _VIEWS:
                canvas.view(node.inputs[_VIEWS[node.op]], tensor, where)
            else:
                canvas.write(tensor)
    canvas.read(graph.output.tensor, "the caller")


def _in_arena(graph: Graph, tensor: str) -> bool:
    return graph.tensors[tensor].kind not in ("constant", "trainable")


def _check_overlap(canvas: _Canvas, node: Node, where: str) -> None:
    """A kernel's output must not lie on an operand, but for those that may work in place."""
    allowed = _MAY_OVERWRITE.get(node.op, set())
    for output in node.outputs.values():
        out = canvas.region(output)
        for role, tensor in node.inputs.items():
            if not _in_arena(canvas.graph, tensor):
                continue
            region = canvas.region(tensor)
            apart = region.stop <= out.start or out.stop <= region.start
            same = region == out and role in allowed
            if not apart and not same:
                raise InternalError(f"plan: {where} writes {output} over its operand {tensor}")
