"""Runs some nodes depth first, row by row, through rings of a few rows.

`segments.py` chooses which nodes; this module gives their calls and the rows of their rings.

A chain of layers need not hold whole maps between its layers: as soon as a layer has the rows that
its next row needs, it computes that row. Every row is computed once. Maps that later nodes read
stay whole; maps that only the run itself reads become rings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyflash.compiler.plan.calls import Call
from tinyflash.compiler.plan.rows import Rows, Span
from tinyflash.graph import Graph

_NEVER = 1 << 30


@dataclass(frozen=True)
class Stream:
    """The calls of a run of nodes, and the rows that each of its rings needs."""

    calls: tuple[Call, ...]
    rings: Mapping[str, int]


@dataclass
class _Stage:
    """A node in progress: `done` rows are computed.

    makers: the stages that make its operands within the run, with the rows of the operand that each
    row needs. deepest: the number of its last reader, or its own number.
    """

    node: int
    output: str
    rows: Rows
    makers: list[tuple[_Stage, tuple[Span, ...]]]
    deepest: int
    readers: list[_Stage] = field(default_factory=list)
    done: int = 0

    def ready(self) -> bool:
        if self.done == self.rows.count:
            return False
        return all(maker.done >= spans[self.done][1] for maker, spans in self.makers)

    def first_needed(self, tensor: str) -> int:
        """Returns the first row of `tensor` that this stage still needs."""
        return self.rows.lowest[tensor][self.done] if self.done < self.rows.count else _NEVER


def stream(graph: Graph, nodes: range, rows: Sequence[Rows]) -> Stream:
    """Runs `nodes` of the graph depth first: of all stages that are ready for their next row, the
    last one computes it. rows: the rows of all nodes of the graph."""
    stages = _stages(graph, nodes, rows)
    outputs = [s.output for s in stages]  # rings in the order of the nodes
    rings = {t: 1 for t in outputs if not _is_read_later(graph, t, nodes)}
    calls: list[Call] = []
    stage = _deepest_ready(stages, len(stages) - 1)
    while stage is not None:
        calls.append(Call(stage.node, stage.done, 1))
        if stage.output in rings:
            rings[stage.output] = max(rings[stage.output], stage.done + 1 - _oldest(stage))
        stage.done += 1
        stage = _deepest_ready(stages, stage.deepest)  # the others are unchanged
    return Stream(_joined(graph, calls), rings)


def _deepest_ready(stages: Sequence[_Stage], deepest: int) -> _Stage | None:
    """Returns the last stage that is ready. No stage after number `deepest` is."""
    return next((stages[i] for i in range(deepest, -1, -1) if stages[i].ready()), None)


def _oldest(maker: _Stage) -> int:
    """Returns the oldest row of the maker's output that is still needed, at most the current
    one."""
    needed = (reader.first_needed(maker.output) for reader in maker.readers)
    return min(min(needed, default=_NEVER), maker.done)


def _stages(graph: Graph, nodes: range, rows: Sequence[Rows]) -> list[_Stage]:
    makers: dict[str, _Stage] = {}
    stages: list[_Stage] = []
    for index in nodes:
        node, spans = graph.nodes[index], rows[index]
        (output,) = node.outputs.values()
        inner = [(makers[t], read) for t, read in spans.reads.items() if t in makers]
        stage = _Stage(index, output, spans, inner, deepest=len(stages))
        for maker, _ in inner:
            maker.readers.append(stage)
            maker.deepest = stage.deepest
        makers[output] = stage
        stages.append(stage)
    return stages


def _is_read_later(graph: Graph, tensor: str, nodes: range) -> bool:
    return graph.last_reader(tensor) >= nodes.stop or tensor == graph.output.tensor


def _joined(graph: Graph, calls: list[Call]) -> tuple[Call, ...]:
    """Joins consecutive rows of one node into one call. A source delivers single rows."""
    result: list[Call] = []
    for call in calls:
        last = result[-1] if result else None
        sourced = graph.nodes[call.node].op == "source"
        if last is not None and last.node == call.node and not sourced:
            result[-1] = Call(last.node, last.first, last.count + call.count)
        else:
            result.append(call)
    return tuple(result)
