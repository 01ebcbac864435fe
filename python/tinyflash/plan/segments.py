"""Cuts the nodes of a graph into runs that are executed depth first, where that lowers the peak.

The cost of a run is what lives while it executes: maps that pass by it, its inputs and outputs,
its rings, less what outputs may share with inputs that it uses up. A run of one node is plain
execution. Of all ways to cut, dynamic programming finds one with the lowest peak, and among those
one that streams least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyflash.graph import Graph
from tinyflash.plan.calls import Call, rows_of
from tinyflash.plan.lifetimes import VIEWS, given
from tinyflash.plan.overlap import distance
from tinyflash.plan.rows import Rows
from tinyflash.plan.stream import Stream, stream


@dataclass(frozen=True)
class _Life:
    """Bytes that live from the node `first` that makes them to the last node that reads them."""

    tensors: tuple[str, ...]
    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class _Cut:
    """A way to execute all nodes from some node on: its peak, how many calls of single rows it
    takes, and the runs."""

    peak: int
    calls: int
    runs: tuple[Stream, ...]


def segments(graph: Graph, rows: Sequence[Rows]) -> tuple[Stream, ...]:
    """The runs of a graph, in order of execution."""
    lowest = _cheapest(graph, rows, 0).peak
    return _cheapest(graph, rows, lowest).runs


def _cheapest(graph: Graph, rows: Sequence[Rows], floor: int) -> _Cut:
    """The cut with the lowest peak, peaks below `floor` being as good as it, and of those the one
    with the fewest calls. A node that cannot be cut raises the floor by what it takes alone."""
    lives = _lives(graph)
    plain = [_plain(rows, index) for index in range(len(rows))]
    costs = [_cost(graph, rows, lives, range(i, i + 1), run) for i, run in enumerate(plain)]
    floor = max([floor, *(c for c, r in zip(costs, rows, strict=True) if not r.cut)])
    best = [_Cut(0, 0, ())]  # from the last node on, from the one before it on, ...
    for start in range(len(rows) - 1, -1, -1):
        cut = _before(plain[start], costs[start], best[-1])
        for end in range(start + 2, len(rows) + 1):
            if cut.peak <= floor or not all(rows[i].cut for i in (start, end - 1)):
                break
            run = stream(graph, range(start, end), rows)
            if _least(graph, lives, start, run) > max(cut.peak, floor):
                break
            cost = _cost(graph, rows, lives, range(start, end), run)
            cut = min(cut, _before(run, cost, best[len(rows) - end]), key=_worth(floor))
        best.append(cut)
    return best[-1]


def _worth(floor: int) -> Callable[[_Cut], tuple[int, int]]:
    return lambda cut: (max(cut.peak, floor), cut.calls)


def _before(run: Stream, cost: int, rest: _Cut) -> _Cut:
    calls = len(run.calls) if run.rings else 0
    return _Cut(max(cost, rest.peak), calls + rest.calls, (run, *rest.runs))


def _plain(rows: Sequence[Rows], index: int) -> Stream:
    """A node executed at once."""
    return Stream((Call(index, 0, rows[index].count),), {})


def _least(graph: Graph, lives: Sequence[_Life], start: int, run: Stream) -> int:
    """What any longer run from the same start takes at least: its rings only grow, and outputs
    share bytes with inputs alone."""
    inputs = sum(v.nbytes for v in lives if v.first < start <= v.last)
    return inputs + sum(_ring_bytes(graph, t, ring) for t, ring in run.rings.items())


def _ring_bytes(graph: Graph, tensor: str, ring: int) -> int:
    return graph.tensors[tensor].nbytes // rows_of(graph, tensor) * ring


def _lives(graph: Graph) -> tuple[_Life, ...]:
    """What lies in the arena and when, in nodes; a view belongs to what it is a view of."""
    home = {t: t for t in given(graph)}
    first = dict.fromkeys(home, -1)
    last = dict(first)
    for index, node in enumerate(graph.nodes):
        for tensor in (*node.inputs.values(), *node.outputs.values()):
            if tensor in home:
                last[home[tensor]] = index
        for tensor in node.outputs.values():
            if node.op in VIEWS:
                home[tensor] = home[node.inputs[VIEWS[node.op]]]
            else:
                home[tensor] = tensor
                first[tensor] = last[tensor] = index
    last[home[graph.output.tensor]] = len(graph.nodes)
    names: dict[str, list[str]] = {}
    for tensor, root in home.items():
        names.setdefault(root, []).append(tensor)
    return tuple(_Life(tuple(names[t]), graph.tensors[t].nbytes, first[t], last[t]) for t in first)


def _cost(
    graph: Graph, rows: Sequence[Rows], lives: Sequence[_Life], nodes: range, run: Stream
) -> int:
    """Bytes that live while a run executes."""
    alive = [v for v in lives if v.first < nodes.stop and v.last >= nodes.start]
    total = 0
    for life in alive:
        ring = run.rings.get(life.tensors[0])
        total += life.nbytes if ring is None else _ring_bytes(graph, life.tensors[0], ring)
    return total - _shared(graph, rows, alive, nodes, run)


def _shared(
    graph: Graph, rows: Sequence[Rows], alive: Sequence[_Life], nodes: range, run: Stream
) -> int:
    """The most that one output of the run may share with one input that dies in it."""
    inputs = [v for v in alive if v.first < nodes.start and v.last < nodes.stop]
    outputs = [v for v in alive if v.first >= nodes.start and v.tensors[0] not in run.rings]
    best = 0
    for x in inputs:
        for y in outputs:
            if min(x.nbytes, y.nbytes) > best:
                d = distance(graph, rows, run.calls, x.tensors, y.tensors[0])
                best = max(best, x.nbytes + y.nbytes - max(d + x.nbytes, y.nbytes))
    return best
