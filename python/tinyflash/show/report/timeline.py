"""A plan over time: calls gathered in columns, and how full the arena is at each.

A streamed run calls its layers row by row, hundreds of times and in turns. It is one column here;
within it time goes by calls, so that what lives when stays exact.
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
    spans = sorted(
        (p.offset, p.offset + sizes.get(s.name, s.nbytes), s.first, s.last)
        for p, s in ((p, p.storage) for p in placements)
    )
    starts, stops, first, last = np.array(spans, np.int64).reshape(-1, 4).T
    times = sorted({*first.tolist(), *(last + 1).tolist()})
    live = ((first <= time) & (time <= last) for time in times)
    return tuple((t, _union(starts[now], stops[now])) for t, now in zip(times, live, strict=True))


def _union(starts: Numbers, stops: Numbers) -> int:
    """Bytes that ranges cover together; `starts` ascend."""
    reached = np.maximum.accumulate(np.append(0, stops))
    return int(np.maximum(stops - np.maximum(starts, reached[:-1]), 0).sum())


def highest(curve: Curve) -> int:
    return max((nbytes for _, nbytes in curve), default=0)
