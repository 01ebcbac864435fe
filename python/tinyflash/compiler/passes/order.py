"""Chooses the order of execution that needs the least memory.

A graph leaves some freedom: which branch of a sum runs first, forward and backward, and when an
update is applied. The search goes step by step over all sets of nodes that may have run by then,
and keeps for each the best way to it. That is exact while they are few, as they are in every
network whose branches are few; beyond WIDTH of them it goes on with the best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from tinyflash.graph import Graph, Node, aligned

WIDTH = 1000


def order(graph: Graph) -> Graph:
    """The same nodes in the order with the lowest peak of live bytes that the search finds."""
    problem = _Problem(graph)
    found = _search(problem)
    if problem.cost(found) > problem.cost(range(len(graph.nodes))):
        return graph
    return replace(graph, nodes=tuple(graph.nodes[i] for i in found))


@dataclass(frozen=True)
class _State:
    """Some nodes have run, `done`, a bit for each. `live`: bytes in use after them; `ready`: nodes
    that may run next, ascending."""

    done: int
    live: int
    ready: tuple[int, ...]
    peak: int = 0
    total: int = 0
    last: int = -1
    before: _State | None = None

    @property
    def cost(self) -> tuple[int, int]:
        return self.peak, self.total

    def path(self) -> list[int]:
        found = []
        state: _State | None = self
        while state is not None and state.before is not None:
            found.append(state.last)
            state = state.before
        return found[::-1]


@dataclass(frozen=True)
class _Problem:
    """What must run before what, and what it holds in memory, as bits of node numbers."""

    graph: Graph

    def start(self) -> _State:
        ready = tuple(i for i, needs in enumerate(self.needs) if needs == 0)
        return _State(0, sum(self.sizes[t] for t in self.graph.given), ready)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Bytes of each tensor in the arena; others have none."""
        return {
            name: 0 if t.kind in ("constant", "trainable") else aligned(t.nbytes)
            for name, t in self.graph.tensors.items()
        }

    @cached_property
    def source(self) -> dict[str, str]:
        """The tensor in whose place each one lies: its own, but for reshaped ones."""
        source = {t: t for t in self.graph.tensors}
        for node in self.graph.nodes:
            if node.operator.view_of:
                (x,), (y,) = node.inputs.values(), node.outputs.values()
                source[y] = source[x]
        return source

    @cached_property
    def readers(self) -> dict[str, int]:
        """Nodes that read each place. What is never read is not freed before the end."""
        readers = dict.fromkeys(self.graph.tensors, 0)
        for i, node in enumerate(self.graph.nodes):
            for tensor in node.inputs.values():
                readers[self.source[tensor]] |= 1 << i
        end = 1 << len(self.graph.nodes)
        readers[self.source[self.graph.output.tensor]] |= end
        return {t: bits or end for t, bits in readers.items()}

    @cached_property
    def needs(self) -> list[int]:
        """Nodes that must run before each: who makes what it reads, and who reads what it writes.

        The end of a step comes last.
        """
        maker = {t: 1 << i for i, n in enumerate(self.graph.nodes) for t in n.outputs.values()}
        needs = []
        for i, node in enumerate(self.graph.nodes):
            bits = 0
            for tensor in node.inputs.values():
                bits |= maker.get(tensor, 0)
            for tensor in node.writes:
                bits |= self.readers[tensor]
            bits &= ~(1 << i)
            needs.append((1 << i) - 1 if node.op == "advance" else bits)
        return needs

    @cached_property
    def waiting(self) -> list[list[int]]:
        """Nodes that each one must run before, ascending."""
        waiting: list[list[int]] = [[] for _ in self.needs]
        for i, needs in enumerate(self.needs):
            for before in _numbers(needs):
                waiting[before].append(i)
        return waiting

    @cached_property
    def costs(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """Bytes that each node makes; readers and bytes of each place that it reads."""
        costs = []
        for node in self.graph.nodes:
            made = 0 if node.operator.view_of else sum(self.sizes[t] for t in node.outputs.values())
            read = {self.source[t] for t in node.inputs.values()}
            costs.append((made, [(self.readers[t], self.sizes[t]) for t in read if self.sizes[t]]))
        return costs

    @cached_property
    def free(self) -> list[bool]:
        """Which nodes cost nothing."""
        return [_is_eager(node) for node in self.graph.nodes]

    def choices(self, state: _State) -> tuple[int, ...]:
        """Nodes that may run next: one alone, if it costs nothing."""
        first = next((i for i in state.ready if self.free[i]), None)
        return state.ready if first is None else (first,)

    def run(self, state: _State, index: int) -> _State:
        """The state after one more node."""
        done = state.done | 1 << index
        left = ~done
        made, read = self.costs[index]
        during = state.live + made
        freed = sum(nbytes for readers, nbytes in read if not readers & left)
        peak, total = max(state.peak, during), state.total + during
        ready = [i for i in state.ready if i != index]
        ready += [i for i in self.waiting[index] if not self.needs[i] & left]
        return _State(done, during - freed, tuple(sorted(ready)), peak, total, index, state)

    def cost(self, nodes: range | list[int]) -> tuple[int, int]:
        state = self.start()
        for index in nodes:
            state = self.run(state, index)
        return state.cost


def _is_eager(node: Node) -> bool:
    """Whether a node runs as soon as it can, right behind what it reads: one that makes nothing,
    and one that frees more than it takes."""
    return not node.outputs or node.operator.stage == "saved" or bool(node.operator.view_of)


def _numbers(bits: int) -> Iterator[int]:
    """Of the bits that are set, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _search(problem: _Problem) -> list[int]:
    states = [problem.start()]
    for _ in problem.graph.nodes:
        if len(states) == 1:  # what is behind is settled: from here on the peak counts anew
            states = [replace(states[0], peak=0, total=0)]
        best: dict[int, _State] = {}
        for state in states:
            for index in problem.choices(state):
                found = problem.run(state, index)
                rival = best.get(found.done)
                if rival is None or found.cost < rival.cost:
                    best[found.done] = found
        states = sorted(best.values(), key=lambda s: (*s.cost, s.done))[:WIDTH]
    return states[0].path()
