"""Random orders of rows: valid schedules with the rings that they need, made without the planner.

Of every graph some tensors are held only partly. Nodes compute a few rows at a time as soon as they
can, mostly the latest first; a ring is as long as the schedule turned out to need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tinyflash.compiler import Compiled
from tinyflash.compiler.lower import lower
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import Placement, Plan, plan
from tinyflash.compiler.plan.calls import Call, rows_computed, rows_of
from tinyflash.compiler.plan.lifetimes import Storage
from tinyflash.graph import AxisAttrs, Graph, Node, PadAttrs, TakeAttrs, WindowAttrs
from tinyflash.program import Program

WINDOWED = ("conv2d", "depthwise", "average_pool", "max_pool")
ROW_BY_ROW = (
    *("add", "sub", "mul", "maximum", "minimum", "lookup", "softmax", "keep", "mask"),
    *("fully_connected", "concatenate", "prelu", "log_softmax"),
)
VIEWS = ("reshape", "reshape_backward_input")


def goes_by_rows(graph: Graph, node: Node) -> bool:
    """Whether a node's kernel can compute some rows of its map from some rows of its operands."""
    if node.op in (*WINDOWED, "pad", "take", "source"):
        return True
    if node.op not in ROW_BY_ROW:
        return False
    if node.op == "concatenate" and isinstance(node.attrs, AxisAttrs):
        y = graph.tensors[node.outputs["y"]]
        return len(y.shape) >= 3 and node.attrs.axis == len(y.shape) - 1
    rows = {rows_of(graph, t) for t in maps_of(graph, node)}
    return len(rows) == 1 and all(len(graph.tensors[t].shape) >= 3 for t in maps_of(graph, node))


def maps_of(graph: Graph, node: Node) -> list[str]:
    """The operands, input and output, that a node reads or writes by the rows of its map."""
    names = [*node.inputs.values(), *(t for r, t in node.outputs.items() if r != "mask")]
    maps = [t for t in names if graph.tensors[t].kind == "activation"]
    if node.op == "mul":
        a, b = node.inputs["a"], node.inputs["b"]
        return (
            maps if graph.tensors[a].size == graph.tensors[b].size else [t for t in maps if t != b]
        )
    return maps


def rows_read(graph: Graph, node: Node, tensor: str, first: int, count: int) -> tuple[int, int]:
    """Rows [low, high) of an operand that so many rows of the output from `first` on read."""
    height = rows_of(graph, tensor)
    if tensor not in maps_of(graph, node):
        return 0, height
    low, high = first, first + count
    if isinstance(node.attrs, WindowAttrs) and node.op in WINDOWED:
        window = node.attrs.window
        low = first * window.stride[0] - window.padding[0]
        reach = (window.kernel[0] - 1) * window.dilation[0] + 1
        high = (first + count - 1) * window.stride[0] - window.padding[0] + reach
    elif isinstance(node.attrs, PadAttrs):
        low, high = low - node.attrs.before[0], high - node.attrs.before[0]
    elif isinstance(node.attrs, TakeAttrs):
        s = node.attrs.rows
        low, high = (
            (s.first + low * s.step) // s.unit,
            (s.first + (high - 1) * s.step) // s.unit + 1,
        )
    return min(max(low, 0), height), min(max(high, 0), height)


@dataclass
class Scheduler:
    """One graph on its way through a schedule. `done`: rows computed, by node."""

    graph: Graph
    rng: np.random.Generator
    done: list[int] = field(init=False)
    rings: dict[str, int] = field(init=False)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.done = [0] * len(self.graph.nodes)
        self.by_rows = [goes_by_rows(self.graph, n) for n in self.graph.nodes]
        self.rows = [rows_computed(self.graph, n) for n in self.graph.nodes]
        self.makers = {t: i for i, n in enumerate(self.graph.nodes) for t in n.outputs.values()}
        partly = [t for t in self.makers if self._can_be_a_ring(t) and self.rng.integers(5)]
        self.rings = dict.fromkeys(partly, 1)

    def _can_be_a_ring(self, tensor: str) -> bool:
        """Whether all who read it go by rows, and none needs it whole."""
        if self.graph.tensors[tensor].kind != "activation" or tensor == self.graph.output.tensor:
            return False
        readers = [i for i, n in enumerate(self.graph.nodes) if tensor in n.inputs.values()]
        by_rows = all(
            self.by_rows[i] and tensor in maps_of(self.graph, self.graph.nodes[i]) for i in readers
        )
        return self.by_rows[self.makers[tensor]] and by_rows

    def run(self) -> None:
        while (ready := [i for i in range(len(self.done)) if self._possible(i)]) != []:
            latest = self.rng.integers(6) > 0
            index = ready[-1] if latest else ready[int(self.rng.integers(len(ready)))]
            most = self._possible(index)
            count = int(self.rng.integers(1, min(most, 3) + 1)) if self.by_rows[index] else most
            self._call(index, count)
        assert self.done == self.rows

    def _possible(self, index: int) -> int:
        """How many rows a node can compute now."""
        node, left = self.graph.nodes[index], self.rows[index] - self.done[index]
        if not left:
            return 0
        if not self.by_rows[index]:
            return left if self.done[:index] == self.rows[:index] else 0
        inputs = [t for t in node.inputs.values() if t in self.makers]
        first, count = self.done[index], 0
        while count < left and all(self._is_there(node, t, first, count + 1) for t in inputs):
            count += 1
        return count

    def _is_there(self, node: Node, tensor: str, first: int, count: int) -> bool:
        maker = self.makers[tensor]
        if not self.by_rows[maker]:
            return self.done[maker] == self.rows[maker]
        return self.done[maker] >= rows_read(self.graph, node, tensor, first, count)[1]

    def _call(self, index: int, count: int) -> None:
        """Adds a call; a source's may not cross the end of its ring, so it gives single rows."""
        node = self.graph.nodes[index]
        single = node.op == "source"
        for first, rows in [(i, 1) for i in range(count)] if single else [(0, count)]:
            self.calls.append(Call(index, self.done[index] + first, rows))
        self.done[index] += count
        for tensor in node.outputs.values():
            if tensor in self.rings:
                needed = self.done[index] - self._oldest(tensor, self.done[index])
                self.rings[tensor] = max(self.rings[tensor], needed)

    def _oldest(self, tensor: str, made: int) -> int:
        """The first row of a tensor that somebody has still to read."""
        oldest = made
        for index, node in enumerate(self.graph.nodes):
            left = self.rows[index] - self.done[index]
            if tensor in node.inputs.values() and left:
                oldest = min(oldest, rows_read(self.graph, node, tensor, self.done[index], left)[0])
        return oldest


def random_plan(graph: Graph, rng: np.random.Generator) -> Plan:
    """A schedule, its rings, some longer than they must be, and a place of its own for all."""
    scheduler = Scheduler(graph, rng)
    scheduler.run()
    rings = {
        t: min(rows_of(graph, t), ring + int(rng.integers(2)))
        for t, ring in scheduler.rings.items()
    }
    placements: list[Placement] = []
    end = 0
    for tensors in _storages(graph):
        tensor = graph.tensors[tensors[0]]
        nbytes = tensor.nbytes
        if tensor.name in rings:
            nbytes = nbytes // rows_of(graph, tensor.name) * rings[tensor.name]
        placements.append(Placement(Storage(tensor.name, tuple(tensors), nbytes, 0, 0), end))
        end += -(-nbytes // 4) * 4
    return Plan(tuple(placements), end, end, 0, tuple(scheduler.calls), rings)


def _storages(graph: Graph) -> list[list[str]]:
    """The tensors of the arena, each with its views."""
    held = {t: [t] for t in (graph.input.tensor, graph.target) if t}
    for node in graph.nodes:
        for tensor in node.outputs.values():
            host = held[next(iter(node.inputs.values()))] if node.op in VIEWS else []
            host.append(tensor)
            held[tensor] = host
    return list({id(tensors): tensors for tensors in held.values()}.values())


def streamed(compiled: Compiled, seed: int) -> Program:
    """The same graphs under random schedules."""
    rng = np.random.default_rng(seed)
    return _replanned(compiled, lambda graph: random_plan(graph, rng), seed)


def layer_by_layer(compiled: Compiled, seed: int) -> Program:
    """The same graphs, one node after the other, all maps whole."""
    return _replanned(compiled, lambda graph: plan(graph, streamed=False), seed)


def _replanned(compiled: Compiled, planner: Callable[[Graph], Plan], seed: int) -> Program:
    assert compiled.train is not None
    infer, train = (Planned(p.graph, planner(p.graph)) for p in (compiled.infer, compiled.train))
    return replace(lower(infer, train, seed), state=compiled.program.state)
