"""The memory plan of a graph: execution order and arena offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tinyflash.compiler.plan.calls import Call, Order, whole
from tinyflash.compiler.plan.lifetimes import lifetimes, scratch_of
from tinyflash.compiler.plan.overlap import overlaps
from tinyflash.compiler.plan.place import QUICK, Effort, Placement, place
from tinyflash.compiler.plan.problem import Problem
from tinyflash.compiler.plan.rows import Rows, rows
from tinyflash.compiler.plan.segments import segments
from tinyflash.graph import Graph, Node


@dataclass(frozen=True)
class Plan:
    """The execution order of the rows of one graph, and the arena offsets of its tensors.

    `lower_bound`: the least bytes that any placement needs. `peak_step`: the first call that needs
    the most bytes. `rings`: the tensors with only some rows in the arena: tensor -> number of rows;
    row r is at r mod number. All other tensors are whole.
    """

    placements: tuple[Placement, ...]
    arena_bytes: int
    lower_bound: int
    peak_step: int
    calls: tuple[Call, ...]
    rings: Mapping[str, int] = field(default_factory=dict)

    def offset(self, tensor: str) -> int:
        return self._offsets[tensor]

    def scratch(self, node: Node) -> int:
        """Returns the offset of a node's scratch."""
        return self._offsets[scratch_of(node)]

    @cached_property
    def _offsets(self) -> Mapping[str, int]:
        return {t: p.offset for p in reversed(self.placements) for t in p.storage.tensors}

    def live_at(self, step: int) -> tuple[Placement, ...]:
        """Returns the tensors that are live while call `step` runs, largest first."""
        live = [p for p in self.placements if p.storage.first <= step <= p.storage.last]
        return tuple(sorted(live, key=lambda p: -p.storage.nbytes))


def plan(graph: Graph, streamed: bool = True, effort: Effort = QUICK) -> Plan:
    """Plans a graph. streamed: runs chains of layers depth first if that needs less memory. effort:
    how long to search for a low placement."""
    needs = [rows(graph, node) for node in graph.nodes]
    order = depth_first(graph, needs) if streamed else whole(graph)
    return placed(graph, order, effort, needs)


def depth_first(graph: Graph, needs: Sequence[Rows] | None = None) -> Order:
    """Runs chains of layers row by row if that lowers the peak. needs: the rows of every node."""
    runs = segments(graph, needs or [rows(graph, node) for node in graph.nodes])
    calls = tuple(call for run in runs for call in run.calls)
    return Order(calls, {tensor: ring for run in runs for tensor, ring in run.rings.items()})


def placed(
    graph: Graph, order: Order, effort: Effort = QUICK, needs: Sequence[Rows] | None = None
) -> Plan:
    """Returns the plan of a graph for an execution order. needs: the rows of every node."""
    needs = needs or [rows(graph, node) for node in graph.nodes]
    storages = lifetimes(graph, order)
    problem = Problem(storages, overlaps(graph, needs, order, storages))
    found = place(problem, effort)
    size = problem.height([p.offset for p in found.placements])
    step = min(max(problem.lower_bound.time, 0), len(order.calls) - 1)
    return Plan(found.placements, size, found.lower_bound, step, order.calls, order.rings)
