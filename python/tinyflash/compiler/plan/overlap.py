"""Finds where an output may overlap a dying operand: behind the rows that are still needed.

Kernels compute rows in ascending order (kernels.h). So an output y may begin at or below an operand
x, however much they overlap, as long as each row of y ends before the first row of x that it or a
later row still reads. This module finds the distance that this needs.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tinyflash.compiler.plan.calls import Call, Order, rows_of
from tinyflash.compiler.plan.lifetimes import Storage, spans
from tinyflash.compiler.plan.problem import Overlap
from tinyflash.compiler.plan.rows import Rows, Span
from tinyflash.graph import Graph, Node


def overlaps(
    graph: Graph, rows: Sequence[Rows], order: Order, storages: Sequence[Storage]
) -> tuple[Overlap, ...]:
    """Returns the pairs of storages that may overlap, those that share most bytes first. Each
    storage overlaps at most one below it and one above it."""
    whole = [s for s in storages if order.rings.keys().isdisjoint(s.tensors) and not s.scratch]
    written = _written(graph, order.calls)
    touching = _touching(graph, rows, order.calls)
    found = []
    for y, x in _taking_over(whole):
        if _made_before(written, x, y):
            numbers = {i for t in (y.tensors[0], *x.tensors) for i in touching.get(t, ())}
            calls = [order.calls[i] for i in sorted(numbers) if y.first <= i <= x.last]
            d = distance(graph, rows, calls, x.tensors, y.tensors[0])
            shared = x.nbytes + y.nbytes - max(d + x.nbytes, y.nbytes)
            if shared > 0:
                found.append((shared, Overlap(y.name, x.name, d)))
    return _matched([pair for _, pair in sorted(found, key=lambda f: -f[0])])


def _touching(graph: Graph, rows: Sequence[Rows], calls: Sequence[Call]) -> dict[str, list[int]]:
    """Returns the numbers of the calls that read or write each tensor."""
    found: dict[str, list[int]] = {}
    for number, call in enumerate(calls):
        for tensor in (*rows[call.node].reads, *graph.nodes[call.node].outputs.values()):
            found.setdefault(tensor, []).append(number)
    return found


def _taking_over(storages: Sequence[Storage]) -> Iterator[tuple[Storage, Storage]]:
    """Returns the pairs whose first storage begins while the second is live and lives on when that
    ends, in the order of both. Sweeps over time; the live storages are sorted by their end."""
    live: list[tuple[int, int]] = []  # last call and number, ascending
    under: dict[int, list[int]] = {}
    by_start = sorted(range(len(storages)), key=lambda i: storages[i].first)
    for first, beginning in groupby(by_start, key=lambda i: storages[i].first):
        del live[: bisect_left(live, (first, -1))]
        numbers = list(beginning)
        for i in numbers:
            under[i] = sorted(j for _, j in live[: bisect_left(live, (storages[i].last + 1, -1))])
        for i in numbers:
            insort(live, (storages[i].last, i))
    return ((storages[i], storages[j]) for i in range(len(storages)) for j in under[i])


def _matched(pairs: Sequence[Overlap]) -> tuple[Overlap, ...]:
    chosen: list[Overlap] = []
    over: set[str] = set()
    under: set[str] = set()
    for pair in pairs:
        if pair.over not in over and pair.under not in under:
            chosen.append(pair)
            over.add(pair.over)
            under.add(pair.under)
    return tuple(chosen)


@dataclass(frozen=True)
class _Written:
    """The calls that write a tensor, from the first to the last one. `at_once`: not row by row,
    like a concatenation, which writes all rows of one operand before the next."""

    first: int
    last: int
    at_once: bool


def _written(graph: Graph, calls: Sequence[Call]) -> dict[str, _Written]:
    return {
        tensor: _Written(span.first, span.last, graph.nodes[index].op == "concatenate")
        for index, span in spans(calls).items()
        for tensor in graph.nodes[index].outputs.values()
    }


def _made_before(written: Mapping[str, _Written], x: Storage, y: Storage) -> bool:
    """Whether x is complete before y begins, and y gets only its first tensor while x is live, row
    by row."""
    if any(t in written and written[t].last >= y.first for t in x.tensors):
        return False
    first, *others = y.tensors
    if any(written[t].first <= x.last for t in others):
        return False
    return not (first in written and written[first].at_once)


def distance(
    graph: Graph, rows: Sequence[Rows], calls: Sequence[Call], x: Sequence[str], y: str
) -> int:
    """Returns the least distance by which tensor `y` must begin below a map with the names `x`.
    calls: from the first that makes y to the last that reads x; others may be left out."""
    extent = max(rows_of(graph, t) for t in x)
    x_row = graph.tensors[x[0]].nbytes // extent
    needed, result = extent, 0  # later calls read rows of x from `needed` on
    for call in reversed(calls):
        node, read = graph.nodes[call.node], rows[call.node].reads
        operands = [t for t in read if t in x] if not node.operator.view_of else []
        makes = y in node.outputs.values()
        if not operands and not makes:
            continue
        firsts = _first_reads(graph, read, operands, call, extent)
        if node.at_once:
            firsts = [min(firsts)] * call.count
        in_place = _elementwise(graph, node, x)
        bits = _row_bits(graph, node, y) if makes else 0
        for row in range(call.first + call.count - 1, call.first - 1, -1):
            own = firsts[row - call.first]
            limit = min(needed, own + 1 if in_place else own)
            if makes and limit < extent:
                result = max(result, -(-(row + 1) * bits // 8) - limit * x_row)
            needed = min(needed, own)
    return result


def _first_reads(
    graph: Graph, reads: Mapping[str, Sequence[Span]], x: Sequence[str], call: Call, extent: int
) -> list[int]:
    """Returns the first row of x, a map of `extent` rows, that a node reads for each row of a
    call."""
    result = [extent] * call.count
    for tensor in x:
        by_rows = rows_of(graph, tensor) == extent
        for i, (first, end) in enumerate(reads[tensor][call.first : call.first + call.count]):
            if first < end:
                result[i] = min(result[i], first if by_rows else 0)
    return result


def _row_bits(graph: Graph, node: Node, y: str) -> int:
    """Returns the bits of a row of y."""
    if node.op == "mask":
        source = graph.tensors[node.inputs["y"]]
        return source.size // rows_of(graph, source.name)
    return 8 * (graph.tensors[y].nbytes // rows_of(graph, y))


def _elementwise(graph: Graph, node: Node, x: Sequence[str]) -> bool:
    """Whether the node reads each element of x before it writes the same element, and reads x only
    once. A product may read one row of x again for every row."""
    operands = [node.inputs[r] for r in node.operator.in_place if node.inputs.get(r) in x]
    sizes = {graph.tensors[t].size for t in (*operands, *node.outputs.values())}
    return bool(operands) and len(sizes) == 1
