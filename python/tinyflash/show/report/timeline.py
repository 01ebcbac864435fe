"""A plan over time: calls gathered in columns, and how full the arena is at each.

A streamed run calls its layers row by row, hundreds of times and in turns. It is one column here;
within it time goes by calls, so that what lives when stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyflash.compiler.plan import Placement
from tinyflash.compiler.plan.calls import Call, rows_computed
from tinyflash.graph import Graph

Curve = tuple[tuple[int, int], ...]  # (call, bytes in use from there on)


@dataclass(frozen=True)
class Column:
    """Calls first..last, of these nodes. A column of several is a streamed run."""

    first: int
    last: int
    nodes: tuple[int, ...]

    @property
    def streamed(self) -> bool:
        return len(self.nodes) > 1


def columns(graph: Graph, calls: Sequence[Call]) -> tuple[Column, ...]:
    """All calls, in order. A column ends where nothing that it began is unfinished."""
    found: list[Column] = []
    first = 0
    missing: dict[int, int] = {}
    for index, call in enumerate(calls):
        left = missing.get(call.node, rows_computed(graph, graph.nodes[call.node]))
        missing[call.node] = left - call.count
        if not any(missing.values()):
            found.append(Column(first, index, tuple(missing)))
            first, missing = index + 1, {}
    return tuple(found)


def filled(placements: Sequence[Placement], sizes: dict[str, int] | None = None) -> Curve:
    """How many bytes of the arena are in use, wherever that changes. Storages that share bytes
    count once. sizes: of some storages other ones, by name, 0 for none."""
    sizes = sizes or {}
    spans = [
        (s.first, s.last, p.offset, p.offset + sizes.get(s.name, s.nbytes))
        for p, s in ((p, p.storage) for p in placements)
    ]
    times = sorted({first for first, *_ in spans} | {last + 1 for _, last, *_ in spans})
    return tuple(
        (time, _union([(a, b) for first, last, a, b in spans if first <= time <= last]))
        for time in times
    )


def _union(ranges: list[tuple[int, int]]) -> int:
    """Bytes that ranges cover together."""
    total = end = 0
    for start, stop in sorted(ranges):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


def highest(curve: Curve) -> int:
    return max((nbytes for _, nbytes in curve), default=0)
