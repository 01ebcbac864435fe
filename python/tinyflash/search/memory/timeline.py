"""Which nodes of the canonical graph a scheme runs, and which bytes are live meanwhile, as arrays.

Every node is one time. A scheme removes nodes, and so readers; what is left says when each map
dies. Maps that are kept for an update have the size that the scheme asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tinyflash.compiler.kernels import KernelSets, with_scratch
from tinyflash.compiler.plan.calls import Call, rows_computed
from tinyflash.compiler.plan.overlap import distance
from tinyflash.compiler.plan.rows import Rows, rows
from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, aligned
from tinyflash.scheme import LayerUpdate
from tinyflash.search.memory.canonical import Canonical
from tinyflash.search.memory.maps import (
    Bools,
    Ints,
    births,
    closures,
    maps_read,
    numbered,
    sizes,
)
from tinyflash.search.memory.place import Block


@dataclass(frozen=True)
class Moment:
    """The canonical graph under one scheme. active: of nodes. size, born, death: of maps, by
    number; death -1: never made. scratch: of nodes. live: bytes at each node, executed in a single
    call. scales: gradients with a scale of their own."""

    active: Bools
    size: Ints
    born: Ints
    death: Ints
    scratch: Ints
    live: Ints
    scales: int


@dataclass
class _Kept:
    """A layer's slice of x that its update reads: the numbers of the slice, x, the node that saves
    it and the update. per_input: bytes of one channel of x."""

    slice: int
    x: int
    save: int
    update: int
    per_input: int
    multiplier: int


@dataclass
class Timeline:
    """Facts of the canonical graph that hold under every scheme; maps are numbered by their
    owner: a view has the number of what it shows."""

    canonical: Canonical
    graph: Graph
    sets: KernelSets
    number: dict[str, int]  # of maps
    names: list[list[str]]  # of each map, with its views
    needs: list[Rows]
    size: Ints
    born: Ints
    closures: Bools  # [node][node]: what a node needs, with itself
    edge_map: Ints
    edge_node: Ints
    scratches: dict[tuple[str, int], dict[str, tuple[int, bool]]] = field(default_factory=dict)

    @staticmethod
    def of(canonical: Canonical, sets: KernelSets) -> Timeline:
        graph = with_scratch(canonical.graph, sets)
        number, names = numbered(graph)
        size, born = sizes(graph, names), births(graph, number, len(names))
        edges = [(number[t], i) for i, n in enumerate(graph.nodes) for t in maps_read(graph, n)]
        edges.append((number[graph.output.tensor], len(graph.nodes)))
        edge_map, edge_node = np.array(edges, np.int64).T
        return Timeline(
            canonical=canonical,
            graph=graph,
            sets=sets,
            number=number,
            names=names,
            needs=[rows(graph, node) for node in graph.nodes],
            size=size,
            born=born,
            closures=closures(graph),
            edge_map=edge_map,
            edge_node=edge_node,
        )

    # ---- Under a scheme --------------------------------------------------------------------------

    def under(self, updates: Mapping[str, LayerUpdate]) -> Moment:
        wanted = [*self.always]
        for name, update in updates.items():
            if name not in self.kept and update.kept:
                raise SchemeError(f"scheme: layer {name!r} cannot be trained")
            if update.kept:
                wanted.append(self.kept[name].update)
            if update.bias and name in self.biases:
                wanted.append(self.biases[name])
        active: Bools = np.logical_or.reduce(self.closures[wanted])
        size, more = self._sizes_under(updates, active)
        death = self._deaths(active, more)
        born = np.where(death >= 0, self.born, -1)
        scratch = self._scratch_under(updates)
        live = self._live(active, size, born, death) + scratch
        live -= self._shared(active, size, death)
        live[~active] = 0
        scales = int(active[self.scaled].sum())
        return Moment(active, size, born, death, scratch, live, scales)

    def _sizes_under(
        self, updates: Mapping[str, LayerUpdate], active: Bools
    ) -> tuple[Ints, list[tuple[int, int]]]:
        """Returns the sizes of maps, and more readers of maps: (map, node). A layer that is trained
        as a whole reads x itself. Of equal slices, one is saved."""
        size, more = self.size.copy(), []
        first: dict[tuple[int, int], _Kept] = {}
        for name, update in updates.items():
            if not update.kept:
                continue
            kept = self.kept[name]
            if kept.save < 0:
                continue
            inputs = update.kept // kept.multiplier
            if update.kept == update.channels:
                active[kept.save] = False
                more.append((kept.x, kept.update))
                continue
            size[kept.slice] = aligned(inputs * kept.per_input)
            same = first.setdefault((kept.x, inputs), kept)
            if same is not kept:
                active[kept.save] = False
                more.append((same.slice, kept.update))
        return size, more

    def _deaths(self, active: Bools, more: list[tuple[int, int]]) -> Ints:
        death = np.full(len(self.size), -1, np.int64)
        reading = np.append(active, True)[self.edge_node]
        made = self.born < 0
        made |= active[np.maximum(self.born, 0)]
        at = reading & made[self.edge_map]
        death[self.edge_map[at]] = self.edge_node[at]  # edges ascend by node: the last one counts
        unread = made & (death < 0) & (self.born >= 0)
        death[unread] = self.born[unread]
        for x, node in more:
            death[x] = max(death[x], node)
        for name in self.graph.given:
            at_number = self.number[name]
            death[at_number] = max(death[at_number], 0)
        return death

    def _live(self, active: Bools, size: Ints, born: Ints, death: Ints) -> Ints:
        """Returns the bytes of all maps that are live at each node."""
        change = np.zeros(len(active) + 2, np.int64)
        alive = death >= 0
        np.add.at(change, np.maximum(born[alive], 0), size[alive])
        np.add.at(change, death[alive] + 1, -size[alive])
        return change.cumsum()[: len(active)]

    def _shared(self, active: Bools, size: Ints, death: Ints) -> Ints:
        """Returns the bytes that the output of each node may share with an operand that dies."""
        node, x, y, distance, place = self.pairs
        d = np.where(place, 0, distance)
        wide = np.maximum(d + size[x], size[y])
        share = np.where(death[x] == node, size[x] + size[y] - wide, 0)
        share = np.where(place & (size[x] != size[y]), 0, share)
        best = np.zeros(len(active), np.int64)
        np.maximum.at(best, node, np.maximum(share, 0))
        return best

    def overs(self, moment: Moment) -> dict[int, tuple[int, int]]:
        """Returns for outputs the operand that they overwrite, and the distance: those that share
        most bytes, each map at most once on both sides."""
        node, x, y, distance, place = self.pairs
        size, death = moment.size, moment.death
        place = place & (size[x] == size[y])
        d = np.where(place, 0, distance)
        share = size[x] + size[y] - np.maximum(d + size[x], size[y])
        dies = (death[x] == node) & moment.active[node] & (share > 0)
        found: dict[int, tuple[int, int]] = {}
        under: set[int] = set()
        for i in sorted(np.flatnonzero(dies).tolist(), key=lambda i: -int(share[i])):
            if int(y[i]) not in found and int(x[i]) not in under:
                found[int(y[i])] = int(x[i]), int(min(d[i], size[y[i]]))
                under.add(int(x[i]))
        return found

    def scratch_blocks(self, moment: Moment, begin: int) -> list[Block]:
        """Returns the scratch of nodes from one on."""
        numbers = np.flatnonzero(moment.active & (moment.scratch > 0)).tolist()
        return [Block(int(moment.scratch[i]), i, i) for i in numbers if i >= begin]

    def _scratch_under(self, updates: Mapping[str, LayerUpdate]) -> Ints:
        if not any(name for name in self.sets if name != "ref"):
            return self.no_scratch
        result = self.base_scratch.copy()
        for name, nodes in self.of_layer.items():
            update = updates.get(name)
            kept = 0 if update is None else update.kept
            if (name, kept) not in self.scratches:
                self.scratches[name, kept] = self.canonical.scratch(name, kept, self.sets)
            found = self.scratches[name, kept]
            for index in nodes:
                result[index] = aligned(found.get(self.graph.nodes[index].op, (0, False))[0])
        return result

    # ---- Facts -----------------------------------------------------------------------------------

    @cached_property
    def always(self) -> list[int]:
        """The nodes that every scheme runs: the loss, and the end of a step."""
        return [
            i
            for i, n in enumerate(self.graph.nodes)
            if n.operator.has_effect and not n.operator.updates
        ]

    @cached_property
    def biases(self) -> dict[str, int]:
        return {n.layer: i for i, n in enumerate(self.graph.nodes) if n.op == "bias_update"}

    @cached_property
    def kept(self) -> dict[str, _Kept]:
        """The slices of all layers, by name."""
        found = {}
        for index, node in enumerate(self.graph.nodes):
            if not node.operator.updates or not node.layer or "w" not in node.inputs:
                continue
            layer = self.canonical.layers[node.layer]
            slice_ = self.number[node.inputs["x"]]
            save = int(self.born[slice_])
            saver = self.graph.nodes[save] if save >= 0 else None
            if saver is None or saver.op != "keep":
                found[node.layer] = _Kept(slice_, slice_, -1, index, 0, layer.unit)
                continue
            x = self.number[saver.inputs["x"]]
            kept = self.graph.tensors[node.inputs["x"]]
            per_input = kept.nbytes // (layer.least // layer.unit)
            found[node.layer] = _Kept(slice_, x, save, index, per_input, layer.unit)
        return found

    @cached_property
    def scaled(self) -> Ints:
        """The nodes that make gradients with a scale."""
        return np.array(
            [
                i
                for i, n in enumerate(self.graph.nodes)
                if not n.operator.view_of
                and any(self.graph.tensors[t].kind == "gradient" for t in n.outputs.values())
            ],
            np.int64,
        )

    @cached_property
    def pairs(self) -> tuple[Ints, Ints, Ints, Ints, Bools]:
        """Node, operand, output, distance, and whether it works in place, of all pairs in which an
        output may overwrite an operand."""
        found = []
        for index, node in enumerate(self.graph.nodes):
            if node.operator.view_of or node.op == "concatenate" or not node.outputs:
                continue
            (y,) = node.outputs.values()
            call = Call(index, 0, rows_computed(self.graph, node))
            for x in {self.number[t] for t in maps_read(self.graph, node)}:
                d = distance(self.graph, self.needs, [call], self.names[x], y)
                place = any(
                    self.number.get(node.inputs.get(r, "")) == x for r in node.operator.in_place
                )
                found.append((index, x, self.number[y], aligned(d), place))
        node, x, y, d, place = np.array(found or [(0, 0, 0, 0, False)], np.int64).T
        return node, x, y, d, place.astype(np.bool_)

    @cached_property
    def of_layer(self) -> dict[str, list[int]]:
        """The nodes of each layer with weights whose kernels may use scratch."""
        found: dict[str, list[int]] = {}
        for index, node in enumerate(self.graph.nodes):
            name = node.name if node.operator.weighted else node.layer
            if name in self.canonical.layers and node.op != "bias_update":
                found.setdefault(name, []).append(index)
        return found

    @cached_property
    def base_scratch(self) -> Ints:
        return np.array([aligned(n.scratch) for n in self.graph.nodes], np.int64)

    @cached_property
    def no_scratch(self) -> Ints:
        return np.zeros(len(self.graph.nodes), np.int64)
