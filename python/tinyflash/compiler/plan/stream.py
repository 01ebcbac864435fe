"""Depth-first execution of a run of nodes, row by row, through rings of few rows.

A chain of layers need not hold whole maps between its layers: as soon as a layer has the rows that
its next row needs, it computes that row. Every row is computed once. What the nodes behind the run
read stays whole; what only the run itself reads becomes a ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyflash.compiler.plan.calls import Call
from tinyflash.compiler.plan.rows import Rows
from tinyflash.graph import Graph

_NEVER = 1 << 30


@dataclass(frozen=True)
class Stream:
    """The calls of a run of nodes, and how many rows of each ring they need."""

    calls: tuple[Call, ...]
    rings: Mapping[str, int]


@dataclass
class _Stage:
    """A node on its way: `done` rows are computed.

    needs[r]: of each operand made within the run, how many rows must be there for row r.
    lowest[r]: of each, the first row that rows r and later need.
    """

    node: int
    output: str
    count: int
    needs: list[list[tuple[_Stage, int]]]
    lowest: dict[str, list[int]]
    readers: list[_Stage] = field(default_factory=list)
    done: int = 0

    def ready(self) -> bool:
        return self.done < self.count and all(
            maker.done >= rows for maker, rows in self.needs[self.done]
        )

    def first_needed(self, tensor: str) -> int:
        """The first row of `tensor` that this stage still needs."""
        return self.lowest[tensor][self.done] if self.done < self.count else _NEVER


def stream(graph: Graph, nodes: range, rows: Sequence[Rows]) -> Stream:
    """Runs `nodes` of the graph depth first: of all stages that have what their next row needs, the
    last one computes it. rows: of all nodes of the graph."""
    stages = _stages(graph, nodes, rows)
    later = _read_later(graph, nodes)
    rings = {s.output: 1 for s in stages if s.output not in later}  # in the order of the nodes
    calls: list[Call] = []
    deepest_first = stages[::-1]
    while (stage := next((s for s in deepest_first if s.ready()), None)) is not None:
        calls.append(Call(stage.node, stage.done, 1))
        if stage.output in rings:
            rings[stage.output] = max(rings[stage.output], stage.done + 1 - _oldest(stage))
        stage.done += 1
    return Stream(_joined(graph, calls), rings)


def _oldest(maker: _Stage) -> int:
    """The oldest row of the maker's output that is still needed, at most the one being made."""
    needed = (reader.first_needed(maker.output) for reader in maker.readers)
    return min(min(needed, default=_NEVER), maker.done)


def _stages(graph: Graph, nodes: range, rows: Sequence[Rows]) -> list[_Stage]:
    makers: dict[str, _Stage] = {}
    stages = []
    for index in nodes:
        node, spans = graph.nodes[index], rows[index]
        (output,) = node.outputs.values()
        inner = {t: makers[t] for t in spans.reads if t in makers}
        needs = [
            [(maker, spans.reads[t][row][1]) for t, maker in inner.items()]
            for row in range(spans.count)
        ]
        lowest = {t: _suffix_minima([first for first, _ in spans.reads[t]]) for t in inner}
        stage = _Stage(index, output, spans.count, needs, lowest)
        for maker in inner.values():
            maker.readers.append(stage)
        makers[output] = stage
        stages.append(stage)
    return stages


def _suffix_minima(values: list[int]) -> list[int]:
    result = list(values)
    for i in range(len(result) - 2, -1, -1):
        result[i] = min(result[i], result[i + 1])
    return result


def _read_later(graph: Graph, nodes: range) -> set[str]:
    later = {t for node in graph.nodes[nodes.stop :] for t in node.inputs.values()}
    return later | {graph.output.tensor}


def _joined(graph: Graph, calls: list[Call]) -> tuple[Call, ...]:
    """Rows that one node computes in a row become one call; a source hands out single ones."""
    result: list[Call] = []
    for call in calls:
        last = result[-1] if result else None
        sourced = graph.nodes[call.node].op == "source"
        if last is not None and last.node == call.node and not sourced:
            result[-1] = Call(last.node, last.first, last.count + call.count)
        else:
            result.append(call)
    return tuple(result)
