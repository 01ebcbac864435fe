"""A plan over time: calls grouped in columns, and the bytes in use at each call.

A streamed run calls its layers in turn, row by row, hundreds of times. It is one column. Within the
column, time is still in calls, so lifetimes stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflash.compiler.plan import Placement
from tinyflash.compiler.plan.calls import Call, rows_computed
from tinyflash.compiler.plan.problem import Numbers
from tinyflash.graph import Graph

Curve = tuple[tuple[int, int], ...]  # (call, bytes in use from there on)


@dataclass(frozen=True)
class Column:
    """Calls first..last of these nodes. A column with several nodes is a streamed run."""

    first: int
    last: int
    nodes: tuple[int, ...]

    @property
    def streamed(self) -> bool:
        return len(self.nodes) > 1


def columns(graph: Graph, calls: Sequence[Call]) -> tuple[Column, ...]:
    """Groups all calls, in order. A column ends when every node that it began is finished."""
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
    """Returns the bytes of the arena in use, at each call where they change. Shared bytes count
    once. sizes: replaces the sizes of some storages, by name; 0 removes one."""
    sizes = sizes or {}
    spans = sorted(
        (p.offset, p.offset + sizes.get(s.name, s.nbytes), s.first, s.last)
        for p, s in ((p, p.storage) for p in placements)
    )
    starts, stops, first, last = np.array(spans, np.int64).reshape(-1, 4).T
    times = sorted({*first.tolist(), *(last + 1).tolist()})
    live = ((first <= time) & (time <= last) for time in times)
    return tuple((t, _union(starts[now], stops[now])) for t, now in zip(times, live, strict=True))


def _union(starts: Numbers, stops: Numbers) -> int:
    """Returns the bytes that ranges cover together. starts: ascending."""
    reached = np.maximum.accumulate(np.append(0, stops))
    return int(np.maximum(stops - np.maximum(starts, reached[:-1]), 0).sum())


def fullest(curve: Curve) -> int:
    """Returns the first call with the most bytes in use."""
    return max(next(call for call, nbytes in curve if nbytes == highest(curve)), 0)


def highest(curve: Curve) -> int:
    return max((nbytes for _, nbytes in curve), default=0)
