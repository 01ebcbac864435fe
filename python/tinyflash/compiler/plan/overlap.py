"""Where an output may lie over an operand that dies: behind the rows that are still needed.

Kernels compute rows in ascending order (kernels.h). So an output y may begin at or below an operand
x, however much they overlap, as long as each row of y ends before the first row of x that it or a
later row still reads. The distance that this takes is what this module finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyflash.compiler.plan.calls import Call, Order, rows_of
from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.compiler.plan.problem import Overlap
from tinyflash.compiler.plan.rows import Rows, Span
from tinyflash.graph import Graph, Node


def overlaps(
    graph: Graph, rows: Sequence[Rows], order: Order, storages: Sequence[Storage]
) -> tuple[Overlap, ...]:
    """The pairs of storages that may overlap, those that share most first; each storage lies over
    one other at most, and under one."""
    whole = [s for s in storages if not set(s.tensors) & set(order.rings)]
    found = []
    for y in whole:
        for x in whole:
            if x.first < y.first <= x.last <= y.last and _made_before(graph, order.calls, x, y):
                calls = order.calls[y.first : x.last + 1]
                d = distance(graph, rows, calls, x.tensors, y.tensors[0])
                shared = x.nbytes + y.nbytes - max(d + x.nbytes, y.nbytes)
                if shared > 0:
                    found.append((shared, Overlap(y.name, x.name, d)))
    return _matched([pair for _, pair in sorted(found, key=lambda f: -f[0])])


def _matched(pairs: Sequence[Overlap]) -> tuple[Overlap, ...]:
    chosen: list[Overlap] = []
    for pair in pairs:
        if all(pair.over != c.over and pair.under != c.under for c in chosen):
            chosen.append(pair)
    return tuple(chosen)


def _made_before(graph: Graph, calls: Sequence[Call], x: Storage, y: Storage) -> bool:
    """Whether all of x is there before y begins, nothing but its first tensor is written to y while
    x is live, and that by rows: a concatenation goes over all rows for each of its operands."""
    for call in calls[max(y.first, 0) : x.last + 1]:
        node = graph.nodes[call.node]
        for tensor in node.outputs.values():
            if tensor in x.tensors or tensor in y.tensors[1:]:
                return False
            if tensor in y.tensors and node.op == "concatenate":
                return False
    return True


def distance(
    graph: Graph, rows: Sequence[Rows], calls: Sequence[Call], x: Sequence[str], y: str
) -> int:
    """The least distance by which tensor `y` must begin below a map whose names are `x`, given the
    calls from the first that makes y to the last that reads x."""
    extent = max(rows_of(graph, t) for t in x)
    x_row = graph.tensors[x[0]].nbytes // extent
    needed, result = extent, 0  # rows of x from `needed` on are read by what comes later
    for index, row in _backwards(calls):
        node = graph.nodes[index]
        own = _first_read(graph, node, rows[index], x, row, extent)
        end = _end(graph, node, y, row) if y in node.outputs.values() else 0
        in_place = _elementwise(graph, node, x)
        limit = min(needed, own + 1 if in_place else own)
        if end and limit < extent:
            result = max(result, end - limit * x_row)
        needed = min(needed, own)
    return result


def _backwards(calls: Sequence[Call]) -> Iterator[tuple[int, int]]:
    """Node and row of everything that is computed, last first."""
    for call in reversed(calls):
        for row in range(call.first + call.count - 1, call.first - 1, -1):
            yield call.node, row


def _first_read(
    graph: Graph, node: Node, rows: Rows, x: Sequence[str], row: int, extent: int
) -> int:
    """The first row of x, as a map of `extent` rows, that a node reads for its row."""
    first = extent
    for tensor in x:
        span: Span | None = rows.reads[tensor][row] if tensor in rows.reads else None
        if span is not None and span[0] < span[1]:
            first = min(first, span[0] if rows_of(graph, tensor) == extent else 0)
    return first if not node.operator.view_of else extent


def _end(graph: Graph, node: Node, y: str, row: int) -> int:
    """Where row `row` of y ends, in bytes from where y begins."""
    tensor = graph.tensors[y]
    if node.op == "mask":
        count = rows_of(graph, node.inputs["y"])
        bits = graph.tensors[node.inputs["y"]].size // count
        return -(-(row + 1) * bits // 8)
    return tensor.nbytes // rows_of(graph, y) * (row + 1)


def _elementwise(graph: Graph, node: Node, x: Sequence[str]) -> bool:
    """Whether the node reads x element by element, each before it writes the same one; and not a
    row of x again for every row, as a product may."""
    operands = [node.inputs[r] for r in node.operator.in_place if node.inputs.get(r) in x]
    sizes = {graph.tensors[t].size for t in (*operands, *node.outputs.values())}
    return bool(operands) and len(sizes) == 1
