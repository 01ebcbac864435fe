"""Chooses the order of execution that needs the least memory.

A graph leaves some freedom: which branch of a sum runs first, forward and backward, and when an
update is applied. At each step the search visits all sets of nodes that may have run so far, and
keeps the best order for each set. This is exact while the sets are few, as in every network with
few branches. Beyond WIDTH sets it continues with the best ones. After MOST steps, as with dozens of
branches side by side, it keeps only the NARROW best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from tinyflash.graph import Graph, Node, aligned

WIDTH, NARROW = 1000, 32
MOST = 500_000


def order(graph: Graph) -> Graph:
    """Returns the same nodes in the order with the lowest peak of live bytes found."""
    problem = _Problem(graph)
    found = _search(problem)
    if problem.cost(found) > problem.cost(range(len(graph.nodes))):
        return graph
    return replace(graph, nodes=tuple(graph.nodes[i] for i in found))


@dataclass(frozen=True)
class _State:
    """The state after some nodes have run. `done`: a bit for each of them. `live`: bytes in use
    after them. `ready`: nodes that may run next, ascending."""

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


class _Step(NamedTuple):
    """A node that runs in a state: what will be done and live after it, and the cost of that."""

    before: _State
    node: int
    done: int
    live: int
    cost: tuple[int, int]


@dataclass(frozen=True)
class _Problem:
    """The order constraints of the nodes and their memory needs. Sets of nodes are bit masks."""

    graph: Graph

    def start(self) -> _State:
        ready = tuple(i for i, needs in enumerate(self.needs) if needs == 0)
        return _State(0, sum(self.sizes[t] for t in self.graph.given), ready)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Bytes of each tensor in the arena; other tensors have no entry."""
        return {
            name: 0 if t.kind in ("constant", "trainable") else aligned(t.nbytes)
            for name, t in self.graph.tensors.items()
        }

    @cached_property
    def source(self) -> dict[str, str]:
        """The tensor that owns the memory of each tensor: itself, except for reshaped ones."""
        source = {t: t for t in self.graph.tensors}
        for node in self.graph.nodes:
            if node.operator.view_of:
                (x,), (y,) = node.inputs.values(), node.outputs.values()
                source[y] = source[x]
        return source

    @cached_property
    def readers(self) -> dict[str, int]:
        """The nodes that read each owner. A tensor that is never read is freed only at the end."""
        readers = dict.fromkeys(self.graph.tensors, 0)
        for i, node in enumerate(self.graph.nodes):
            for tensor in node.inputs.values():
                readers[self.source[tensor]] |= 1 << i
        end = 1 << len(self.graph.nodes)
        readers[self.source[self.graph.output.tensor]] |= end
        return {t: bits or end for t, bits in readers.items()}

    @cached_property
    def needs(self) -> list[int]:
        """For each node, the nodes that must run before it: makers of its inputs, and readers of
        what it overwrites.

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
        """For each node, the nodes that must run after it, ascending."""
        waiting: list[list[int]] = [[] for _ in self.needs]
        for i, needs in enumerate(self.needs):
            for before in _numbers(needs):
                waiting[before].append(i)
        return waiting

    @cached_property
    def costs(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """For each node, the bytes that it makes, and the readers and bytes of each owner that it
        reads."""
        costs = []
        for node in self.graph.nodes:
            made = 0 if node.operator.view_of else sum(self.sizes[t] for t in node.outputs.values())
            read = {self.source[t] for t in node.inputs.values()}
            costs.append((made, [(self.readers[t], self.sizes[t]) for t in read if self.sizes[t]]))
        return costs

    @cached_property
    def free(self) -> list[bool]:
        """The nodes that cost no memory."""
        return [_is_eager(node) for node in self.graph.nodes]

    def choices(self, state: _State) -> tuple[int, ...]:
        """Returns the nodes to try next: just one, if it costs no memory."""
        first = next((i for i in state.ready if self.free[i]), None)
        return state.ready if first is None else (first,)

    def run(self, state: _State, index: int) -> _Step:
        """Returns the step that runs one more node."""
        done = state.done | 1 << index
        left = ~done
        made, read = self.costs[index]
        during = state.live + made
        freed = sum(nbytes for readers, nbytes in read if not readers & left)
        cost = max(state.peak, during), state.total + during
        return _Step(state, index, done, during - freed, cost)

    def after(self, step: _Step) -> _State:
        """Returns the state after a step."""
        left = ~step.done
        ready = [i for i in step.before.ready if i != step.node]
        ready += [i for i in self.waiting[step.node] if not self.needs[i] & left]
        return _State(
            step.done, step.live, tuple(sorted(ready)), *step.cost, step.node, step.before
        )

    def cost(self, nodes: range | list[int]) -> tuple[int, int]:
        state = self.start()
        for index in nodes:
            state = self.after(self.run(state, index))
        return state.cost


def _is_eager(node: Node) -> bool:
    """Whether a node runs as soon as it can: if it makes nothing, or frees more than it takes."""
    return not node.outputs or node.operator.stage == "saved" or bool(node.operator.view_of)


def _numbers(bits: int) -> Iterator[int]:
    """Yields the numbers of the bits that are set, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _search(problem: _Problem) -> list[int]:
    states, steps = [problem.start()], 0
    for _ in problem.graph.nodes:
        if len(states) == 1:  # everything before is settled: the peak restarts here
            states = [replace(states[0], peak=0, total=0)]
        best: dict[int, _Step] = {}
        for state in states:
            for index in problem.choices(state):
                steps += 1
                found = problem.run(state, index)
                rival = best.get(found.done)
                if rival is None or found.cost < rival.cost:
                    best[found.done] = found
        kept = sorted(best.values(), key=lambda s: (*s.cost, s.done))
        states = [problem.after(step) for step in kept[: WIDTH if steps < MOST else NARROW]]
    return states[0].path()
