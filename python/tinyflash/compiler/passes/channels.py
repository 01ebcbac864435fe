"""Removes or reorders channels consistently, through all layers that share them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyflash.graph import (
    Graph,
    MeanAttrs,
    Node,
    PadAttrs,
    Quant,
    Steps,
    TakeAttrs,
    Taken,
    Tensor,
    WindowAttrs,
)
from tinyflash.layers import groups_of, in_channels, weight_of

_SUMS = ("add", "sub")
Indices = npt.NDArray[np.intp]


@dataclass
class Region:
    """Maps that share their channels, and the layers that make, pass on and read them."""

    graph: Graph
    maps: list[str] = field(default_factory=list)
    makers: list[Node] = field(default_factory=list)
    depthwise: list[Node] = field(default_factory=list)
    sums: list[Node] = field(default_factory=list)
    readers: list[Node] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)  # outputs of its sums and depthwise layers

    def join(self, node: Node, tensor: str) -> list[str] | None:
        """Adds a node that makes or reads `tensor`. Returns the maps that the node ties to it; None
        if the node fixes the order of the channels."""
        if node.operator.weighted and not node.operator.depthwise:
            makes = tensor in node.outputs.values()
            (self.makers if makes else self.readers).append(node)
            free = groups_of(node) == 1 and (makes or _reads_channels(self.graph, node))
            return [] if free else None
        if node.op in _SUMS:
            self._add_once(self.sums, node)
        elif _is_depthwise(self.graph, node):
            self._add_once(self.depthwise, node)
        elif not passes_channels(self.graph, node):
            return None
        operands = ("a", "b") if node.op in _SUMS else ("x",)
        return [*(node.inputs[role] for role in operands), node.outputs["y"]]

    def _add_once(self, to: list[Node], node: Node) -> None:
        """A node with several maps in the region is visited once for each."""
        if node.outputs["y"] not in self.joined:
            self.joined.add(node.outputs["y"])
            to.append(node)

    def take(self, channels: Indices, to: dict[str, Tensor]) -> None:
        """Writes each tensor with only these channels, in this order, into `to`."""

        def tensor(name: str) -> Tensor:
            return to.get(name, self.graph.tensors[name])

        for name in self.maps:
            to[name] = replace(tensor(name), shape=(*tensor(name).shape[:-1], len(channels)))
        for node in (*self.makers, *self.depthwise):
            axis = node.operator.out_axis
            w = weight_of(node)[0]
            to[w] = rows_taken(tensor(w), channels, axis)
            if "b" in node.inputs:
                to[node.inputs["b"]] = rows_taken(tensor(node.inputs["b"]), channels, 0)
        for node in self.readers:
            w = weight_of(node)[0]
            to[w] = columns_taken(tensor(w), channels)


def region_of(graph: Graph, tensor: str, fixed: set[str] | None = None) -> Region | None:
    """Returns everything that shares its channels with `tensor`. None if the order of the channels
    is fixed, or a reader depends on it. fixed: maps already known to be so. The function adds those
    that it finds, so asking for all maps walks over the graph once."""
    region = Region(graph)
    fixed = set() if fixed is None else fixed
    fixed |= {graph.input.tensor, graph.output.tensor, graph.logits}
    seen: set[str] = set()
    waiting = [tensor]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        region.maps.append(name)
        tied = None if name in fixed else _tied(region, name)
        if tied is None:
            fixed |= seen  # a node tied to one of them is tied to all
            return None
        waiting += tied
    return region


def _tied(region: Region, name: str) -> list[str] | None:
    """Adds the nodes that make and read a map. Returns the maps that they tie to it; None as in
    `join`."""
    graph, found = region.graph, []
    if graph.tensors[name].data is not None:
        return None
    producer = graph.producer(name)
    for node in (*([producer] if producer else []), *graph.readers(name)):
        tied = region.join(node, name)
        if tied is None:
            return None
        found += tied
    return found


def passes_channels(graph: Graph, node: Node) -> bool:
    """Whether each channel of y depends only on the same channel of x, and is at its zero point if
    x is."""
    if not node.operator.per_channel:
        return False
    x, y = graph.tensors[node.inputs["x"]], graph.tensors[node.outputs["y"]]
    if x.quant is None or y.quant is None or x.shape[-1:] != y.shape[-1:]:
        return False
    if x.quant.zero != y.quant.zero:
        return False
    if isinstance(node.attrs, MeanAttrs):
        return len(x.shape) - 1 not in node.attrs.axes
    if isinstance(node.attrs, WindowAttrs):
        return node.attrs.clip.low <= x.quant.zero <= node.attrs.clip.high
    if isinstance(node.attrs, TakeAttrs):
        return node.attrs.channels == Steps()
    return not isinstance(node.attrs, PadAttrs) or _pads_with_zero(node.attrs, x.quant)


def _pads_with_zero(attrs: PadAttrs, quant: Quant) -> bool:
    return attrs.value == quant.zero and not attrs.before[2] and not attrs.after[2]


def _reads_channels(graph: Graph, node: Node) -> bool:
    return in_channels(graph, node) == graph.tensors[node.inputs["x"]].shape[-1]


def _is_depthwise(graph: Graph, node: Node) -> bool:
    if not node.operator.depthwise:
        return False
    return graph.tensors[node.inputs["x"]].shape[-1] == graph.tensors[node.outputs["y"]].shape[-1]


# ---- Tensors of some channels -------------------------------------------------------------------


def rows_taken(tensor: Tensor, rows: Indices, axis: int) -> Tensor:
    """Returns the weights or biases of some output channels, along `axis`."""
    data = np.ascontiguousarray(np.take(np.asarray(tensor.data), rows, axis))
    quant, old = tensor.quant, tensor.taken or Taken()
    largest = old.largest
    if quant is not None and len(quant.scale) > 1:
        largest = max(largest, *quant.scale)
        quant = replace(quant, scale=tuple(quant.scale[i] for i in rows))
    taken = replace(old, rows=_of(old.rows, rows), largest=largest)
    return replace(tensor, shape=data.shape, data=data, quant=quant, taken=taken)


def columns_taken(tensor: Tensor, columns: Indices) -> Tensor:
    """Returns the weights of some input channels, along the last axis."""
    data = np.ascontiguousarray(np.asarray(tensor.data)[..., columns])
    old = tensor.taken or Taken()
    taken = replace(old, columns=_of(old.columns, columns))
    return replace(tensor, shape=data.shape, data=data, taken=taken)


def _of(old: tuple[int, ...], chosen: Indices) -> tuple[int, ...]:
    return tuple(old[i] if old else int(i) for i in chosen)


# ---- The way back -------------------------------------------------------------------------------


def restored(whole: Graph, part: Graph) -> Graph:
    """Returns the forward graph `whole` with the weights and biases of `part`. `part` was made from
    it by selecting channels, splitting weights and training them."""
    tensors = dict(whole.tensors)
    layers = {node.name: node for node in part.nodes if node.operator.weighted}
    for node in whole.nodes:
        twin = layers.get(node.name)
        if not node.operator.weighted or twin is None:  # frozen, and merged with its equal
            continue
        for own, others in _pairs(node, twin):
            parts = [part.tensors[name] for name in others]
            tensors[own] = _put_back(tensors[own], parts, node.operator.depthwise)
    return replace(whole, tensors=tensors)


def _pairs(node: Node, twin: Node) -> list[tuple[str, tuple[str, ...]]]:
    """Yields the names of a layer's constants, each with the tensors that hold its parts."""
    pairs = [(weight_of(node)[0], weight_of(twin))]
    return pairs + ([(node.inputs["b"], (twin.inputs["b"],))] if "b" in node.inputs else [])


def _put_back(whole: Tensor, parts: list[Tensor], depthwise: bool) -> Tensor:
    """Returns the whole tensor with the values of its parts. These are different input channels; in
    a depthwise layer, different output channels."""
    found = np.concatenate([np.asarray(part.data) for part in parts], axis=-1)
    taken = [part.taken or Taken() for part in parts]
    rows = [r for t in (taken if depthwise else taken[:1]) for r in t.rows]
    columns = [c for t in taken for c in t.columns]
    data = np.array(whole.data)
    to = data
    if depthwise and data.ndim > 1:
        to, found = np.moveaxis(to, -1, 0), np.moveaxis(found, -1, 0)
    block = to[rows or slice(None)].copy()
    block[..., columns or slice(None)] = found
    to[rows or slice(None)] = block
    return replace(whole, data=data)
