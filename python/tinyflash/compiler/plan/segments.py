"""Cuts the nodes of a graph into runs that are executed depth first, if that lowers the peak.

The cost of a run is the bytes live while it executes: maps that pass by it, its inputs and outputs,
and its rings, minus the bytes that outputs may share with inputs that die in it. A run of one node
is plain execution. Dynamic programming finds the cut with the lowest peak, and among those the one
that streams least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tinyflash.compiler.plan.calls import rows_of, whole
from tinyflash.compiler.plan.lifetimes import Storage, lifetimes
from tinyflash.compiler.plan.overlap import distance
from tinyflash.compiler.plan.rows import Rows
from tinyflash.compiler.plan.stream import Stream, stream
from tinyflash.graph import Graph


@dataclass(frozen=True)
class _Cut:
    """A way to execute all nodes from some node on: its peak, its number of single-row calls, its
    first run, and the cut of the rest."""

    peak: int
    calls: int
    run: Stream | None = None
    rest: _Cut | None = None

    @property
    def runs(self) -> tuple[Stream, ...]:
        found: list[Stream] = []
        cut: _Cut | None = self
        while cut is not None and cut.run is not None:
            found.append(cut.run)
            cut = cut.rest
        return tuple(found)


def segments(graph: Graph, rows: Sequence[Rows]) -> tuple[Stream, ...]:
    """Returns the runs of a graph, in execution order."""
    costs = _Costs(graph, rows)
    lowest = _cheapest(costs, 0).peak
    return _cheapest(costs, lowest).runs


def _cheapest(costs: _Costs, floor: int) -> _Cut:
    """Returns the cut with the lowest peak, and among equals the one with the fewest calls. Peaks
    below `floor` count as equal to it. A node that cannot be cut raises the floor to its own
    cost."""
    rows, plain = costs.rows, costs.plain
    floor = max([floor, *(c for (_, c), r in zip(plain, rows, strict=True) if not r.cut)])
    best = [_Cut(0, 0)]  # from the last node on, from the one before it on, ...
    for start in range(len(rows) - 1, -1, -1):
        cut = _before(*plain[start], best[-1])
        for end in range(start + 2, len(rows) + 1):
            if cut.peak <= floor or not all(rows[i].cut for i in (start, end - 1)):
                break
            run = costs.stream(range(start, end))
            if costs.least(start, run) > max(cut.peak, floor):
                break
            other = _before(run, costs.of(range(start, end), run), best[len(rows) - end])
            cut = min(cut, other, key=_worth(floor))
        best.append(cut)
    return best[-1]


def _worth(floor: int) -> Callable[[_Cut], tuple[int, int]]:
    return lambda cut: (max(cut.peak, floor), cut.calls)


def _before(run: Stream, cost: int, rest: _Cut) -> _Cut:
    calls = len(run.calls) if run.rings else 0
    return _Cut(max(cost, rest.peak), calls + rest.calls, run, rest)


@dataclass(frozen=True)
class _Costs:
    """Computes the bytes that runs of a graph's nodes take. rows: of every node."""

    graph: Graph
    rows: Sequence[Rows]
    streams: dict[range, Stream] = field(default_factory=dict)  # by nodes
    costs: dict[range, int] = field(default_factory=dict)

    def stream(self, nodes: range) -> Stream:
        if nodes not in self.streams:
            self.streams[nodes] = stream(self.graph, nodes, self.rows)
        return self.streams[nodes]

    @cached_property
    def lives(self) -> tuple[Storage, ...]:
        """The storages of plain execution. Times are node numbers: each node is one call."""
        return lifetimes(self.graph, whole(self.graph), in_place=False)

    @cached_property
    def plain(self) -> list[tuple[Stream, int]]:
        """Each node executed in a single call, and the bytes that this takes."""
        runs = [Stream((call,), {}) for call in whole(self.graph).calls]
        return [(run, self.of(range(i, i + 1), run)) for i, run in enumerate(runs)]

    @cached_property
    def born(self) -> list[list[Storage]]:
        """The storages that begin at each node, without those live before the first node."""
        return self._by_node(lambda life: life.first)

    @cached_property
    def dying(self) -> list[list[Storage]]:
        """The storages that end at each node, without those live after the last node."""
        return self._by_node(lambda life: life.last)

    def _by_node(self, when: Callable[[Storage], int]) -> list[list[Storage]]:
        found: list[list[Storage]] = [[] for _ in self.graph.nodes]
        for life in self.lives:
            if 0 <= when(life) < len(found):
                found[when(life)].append(life)
        return found

    @cached_property
    def entering(self) -> list[int]:
        """The bytes that are live both before and during each node."""
        left = sum(v.nbytes for v in self.lives if v.first < 0 <= v.last)
        found = []
        for born, dying in zip(self.born, self.dying, strict=True):
            found.append(left)
            left += sum(v.nbytes for v in born) - sum(v.nbytes for v in dying)
        return found

    def of(self, nodes: range, run: Stream) -> int:
        """Returns the bytes live while a run executes."""
        if nodes not in self.costs:
            total = self.entering[nodes.start]
            lives = [v for i in nodes for v in self.born[i]]
            total += max((v.nbytes for v in lives if v.scratch), default=0)
            for life in (v for v in lives if not v.scratch):
                ring = run.rings.get(life.name)
                total += life.nbytes if ring is None else self._ring_bytes(life.name, ring)
            self.costs[nodes] = total - self._shared(nodes, run)
        return self.costs[nodes]

    def least(self, start: int, run: Stream) -> int:
        """Returns a lower bound for any longer run from the same start: its rings only grow, and
        outputs share bytes only with inputs."""
        rings = sum(self._ring_bytes(t, ring) for t, ring in run.rings.items())
        return self.entering[start] + rings

    def _ring_bytes(self, tensor: str, ring: int) -> int:
        return self.graph.tensors[tensor].nbytes // rows_of(self.graph, tensor) * ring

    def _shared(self, nodes: range, run: Stream) -> int:
        """Returns the most bytes that one output of the run may share with one input that dies in
        it."""
        inputs = [v for i in nodes for v in self.dying[i] if v.first < nodes.start]
        born = (v for i in nodes for v in self.born[i] if not v.scratch)
        outputs = [v for v in born if v.name not in run.rings]
        best = 0
        for x in inputs:
            for y in outputs:
                if min(x.nbytes, y.nbytes) > best:
                    d = distance(self.graph, self.rows, run.calls, x.tensors, y.name)
                    best = max(best, x.nbytes + y.nbytes - max(d + x.nbytes, y.nbytes))
        return best
