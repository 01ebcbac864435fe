"""What the forward half needs under a scheme: chains of layers are streamed where that pays.

As plan/segments.py does for a whole graph, dynamic programming cuts the forward nodes into runs.
Which rows a run keeps depends on no scheme and is computed once; a scheme says which maps stay
whole, and what it saves meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinyflash.compiler.plan.calls import rows_of
from tinyflash.compiler.plan.overlap import distance
from tinyflash.compiler.plan.stream import stream
from tinyflash.graph import Graph, Node, aligned
from tinyflash.search.memory.lives import Lives
from tinyflash.search.memory.maps import Ints
from tinyflash.search.memory.place import Block, Blocks, Over, height
from tinyflash.search.memory.timeline import Moment, Timeline

MISSED = 1 << 48


class _Cut(NamedTuple):
    """The peak of some nodes, and those that are streamed: (first, end)."""

    peak: int
    runs: tuple[tuple[int, int], ...]


class _Pair(NamedTuple):
    """An input of a run that may die in it, and an output; what they may share."""

    x: int
    y: int
    distance: int


@dataclass(frozen=True)
class _Run:
    """Forward nodes that are executed row by row. rings: (map, bytes of its ring). wholes: maps
    made that are read later. pairs: what they may overwrite."""

    rings: tuple[tuple[int, int], ...]
    wholes: tuple[int, ...]
    pairs: tuple[_Pair, ...]


@dataclass
class Forward:
    """The forward nodes of a timeline, and the runs computed so far."""

    timeline: Timeline
    runs: dict[tuple[int, int], _Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.timeline.graph
        self.at = [i for i, n in enumerate(graph.nodes) if _is_forward(n)]
        alone = replace(graph, nodes=tuple(graph.nodes[i] for i in self.at))
        self.graph: Graph = alone
        self.needs = [self.timeline.needs[i] for i in self.at]
        self.ends = [*self.at[1:], self.end][: len(self.at)]

    @cached_property
    def end(self) -> int:
        """The node after the last one that forwards or saves."""
        nodes = self.timeline.graph.nodes
        found = (i for i, n in enumerate(nodes) if _is_forward(n) or n.operator.stage == "saved")
        return 1 + max(found, default=-1)

    def arena(self, moment: Moment, least: int) -> tuple[int, int]:
        """Returns a lower bound of the arena of training, and the bytes of a placement, MISSED
        without one. least: those of inference."""
        backward = int(moment.live[self.end :].max(initial=0))
        floor = max(least, backward)
        plain = [int(moment.live[a:b].max()) for a, b in zip(self.at, self.ends, strict=True)]
        cut = self._lowest(moment, plain, floor)
        lives = self._lives(moment, cut.runs)
        bound = max(floor, cut.peak)
        if lives.chained > bound:
            return lives.chained, MISSED
        return bound, max(bound, self._placed(moment, lives, bound))

    def _lowest(self, moment: Moment, plain: list[int], floor: int) -> _Cut:
        """Returns the cut into runs with the lowest peak; peaks below `floor` are alike."""
        fixed = (p for p, need in zip(plain, self.needs, strict=True) if not need.cut)
        floor = max([floor, *fixed])
        count = len(plain)
        best = [_Cut(0, ())] * (count + 1)
        for start in range(count - 1, -1, -1):
            found = _Cut(max(plain[start], best[start + 1].peak), best[start + 1].runs)
            end = start + 2
            while found.peak > floor and end <= count and self._is_cut(start, end - 1):
                cost, least = self._cost(moment, start, end)
                if least > max(found.peak, floor):
                    break
                peak = max(cost, best[end].peak)
                if peak < found.peak:
                    found = _Cut(peak, ((start, end), *best[end].runs))
                end += 1
            best[start] = found
        return best[0]

    def _lives(self, moment: Moment, cuts: Sequence[tuple[int, int]]) -> Lives:
        """Returns sizes and lifetimes of all maps if these nodes are streamed."""
        size, born, death = (list(map(int, a)) for a in (moment.size, moment.born, moment.death))
        overs = self.timeline.overs(moment)
        for start, end in cuts:
            first, last = self.at[start], self.at[end - 1]
            run = self.runs[start, end]
            for m, ring in run.rings:
                size[m] = ring if death[m] < self.ends[end - 1] else size[m]
            for m in range(len(size)):
                born[m] = first if first <= born[m] <= last else born[m]
                death[m] = last if first <= death[m] < last else death[m]
            overs = {y: over for y, over in overs.items() if not first <= born[y] <= last}
            best = max(run.pairs, key=lambda p: self._of(p, moment.size), default=None)
            if best is not None and death[best.x] <= last and self._of(best, moment.size):
                overs[best.y] = (best.x, best.distance)
        return Lives(size, born, death, overs)

    def _placed(self, moment: Moment, lives: Lives, bound: int) -> int:
        """Returns a height that what is live from the first saved map on fits into."""
        saved = moment.active[self.savers]
        begin = int(self.savers[saved][0]) if saved.any() else self.at[-1]
        scratch = self.timeline.scratch_blocks(moment, begin)
        kept = [m for m, nbytes in enumerate(lives.size) if lives.death[m] >= begin and nbytes]
        index = {m: i for i, m in enumerate(kept)}
        blocks = [Block(lives.size[m], max(lives.born[m], begin - 1), lives.death[m]) for m in kept]
        pairs = [
            Over(index[y], index[x], d)
            for y, (x, d) in lives.overs.items()
            if x in index and y in index and lives.death[x] >= lives.born[y] >= begin
        ]
        return height(Blocks([*blocks, *scratch], pairs), bound) if blocks else 0

    def _is_cut(self, start: int, last: int) -> bool:
        return self.needs[start].cut and self.needs[last].cut

    def _cost(self, moment: Moment, start: int, end: int) -> tuple[int, int]:
        """Returns the bytes that a run takes, and a lower bound for longer ones."""
        if (start, end) not in self.runs:
            self.runs[start, end] = self._run(start, end)
        run = self.runs[start, end]
        first, last, after = self.at[start], self.at[end - 1], self.ends[end - 1]
        size, death = moment.size, moment.death
        entering = int(size[(moment.born < first) & (death >= first)].sum())
        rings = sum(b if death[m] < after else int(size[m]) for m, b in run.rings)
        wholes = sum(int(size[m]) for m in run.wholes)
        shared = max((self._of(p, size) for p in run.pairs if death[p.x] <= last), default=0)
        scratch = int(moment.scratch[first : last + 1].max())
        cost = entering + rings + wholes + self._saved(moment, first, last) + scratch - shared
        saving = int(moment.live[last + 1 : after].max(initial=0))  # of the last map, afterwards
        return max(cost, saving), entering + rings

    def _of(self, pair: _Pair, size: Ints) -> int:
        x, y = int(size[pair.x]), int(size[pair.y])
        return max(0, x + y - max(pair.distance + x, y))

    def _saved(self, moment: Moment, first: int, last: int) -> int:
        """Returns the bytes that are saved between two nodes."""
        at = self.savers[(self.savers >= first) & (self.savers <= last)]
        maps = self.made_by[at]
        return int(moment.size[maps][moment.death[maps] >= 0].sum())

    @cached_property
    def savers(self) -> Ints:
        nodes = self.timeline.graph.nodes
        return np.array([i for i, n in enumerate(nodes) if n.operator.stage == "saved"], np.int64)

    @cached_property
    def made_by(self) -> Ints:
        """The map that each node makes; 0 of nodes that make none."""
        result = np.zeros(len(self.timeline.graph.nodes), np.int64)
        for number, node in enumerate(self.timeline.born.tolist()):
            if node >= 0:
                result[node] = number
        return result

    def _run(self, start: int, end: int) -> _Run:
        timeline, graph, nodes = self.timeline, self.graph, range(start, end)
        found = stream(graph, nodes, self.needs)
        made = [t for i in nodes for t in graph.nodes[i].outputs.values()]
        own = [t for t in made if not self._is_view(t)]
        rings = tuple(
            (timeline.number[t], aligned(graph.tensors[t].nbytes // rows_of(graph, t) * ring))
            for t, ring in found.rings.items()
        )
        wholes = [t for t in own if t not in found.rings]
        read = {timeline.number[t] for i in nodes for t in self._maps(i)}
        inputs = read - {timeline.number[t] for t in made}
        pairs = tuple(
            _Pair(x, timeline.number[y], self._distance(found.calls, x, y))
            for x in sorted(inputs)
            for y in wholes
        )
        return _Run(rings, tuple(timeline.number[t] for t in wholes), pairs)

    def _distance(self, calls: object, x: int, y: str) -> int:
        names = self.timeline.names[x]
        return aligned(distance(self.graph, self.needs, calls, names, y))  # type: ignore[arg-type]

    def _maps(self, node: int) -> list[str]:
        return [t for t in self.graph.nodes[node].inputs.values() if t in self.timeline.number]

    def _is_view(self, tensor: str) -> bool:
        return tensor != self.timeline.names[self.timeline.number[tensor]][0]


def _is_forward(node: Node) -> bool:
    return node.operator.stage == "network"
