"""Reduces a training graph, which updates everything, to what a scheme trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyflash.errors import SchemeError
from tinyflash.graph import Attrs, AxisAttrs, DenseAttrs, Graph, Node, Quant, Tensor, WindowAttrs
from tinyflash.layers import multiplier_of
from tinyflash.scheme import LayerUpdate

_FROZEN = LayerUpdate(0, 0, False)


def sparsify(graph: Graph, updates: Mapping[str, LayerUpdate]) -> Graph:
    """Splits the weights of partly trained layers, saves only the slice of x that an update reads,
    and removes the updates of frozen layers."""
    reached = {n.layer for n in graph.nodes if n.op.endswith("_update")}
    for name in updates:
        _check_reached(name, reached)
    layers = {n.name: n for n in graph.nodes if n.operator.weighted and "w" in n.inputs}
    tensors: dict[str, Tensor] = {}
    splits = {}
    for name, layer in layers.items():
        update = updates.get(name, _FROZEN)
        splits[name] = _split(graph, layer, update.kept)
        tensors.update({t.name: t for t in splits[name].tensors})
        if "b" in layer.inputs and not update.bias:
            bias = graph.tensors[layer.inputs["b"]]
            tensors[bias.name] = replace(bias, kind="constant")
    nodes = [n for node in graph.nodes for n in _rewrite(graph, node, splits, updates, tensors)]
    return graph.with_nodes(_saves_first(nodes), tensors.values())


def _check_reached(name: str, reached: set[str]) -> None:
    if name in reached:
        return
    raise SchemeError(
        f"scheme: layer {name!r} cannot be trained: the gradient does not reach it, because an "
        "operator between it and the loss runs forward only"
    )


@dataclass(frozen=True)
class _Split:
    """The weights of one layer in two parts: tensor names by role, and the tensors. `inputs`: the
    channels of x that the `kept` trained channels read."""

    roles: Mapping[str, str]
    tensors: tuple[Tensor, ...]
    kept: int
    inputs: int


def _split(graph: Graph, layer: Node, kept: int) -> _Split:
    whole = graph.tensors[layer.inputs["w"]]
    channels = whole.shape[-1]
    if kept == 0:
        frozen = replace(whole, kind="constant")
        return _Split({"w_frozen": whole.name}, (frozen,), 0, 0)
    inputs = kept // multiplier_of(graph, layer)
    if kept == channels:
        return _Split({"w": whole.name}, (whole,), kept, inputs)
    trained = _channels(layer, whole, slice(0, kept), "kept")
    frozen = replace(_channels(layer, whole, slice(kept, channels), "frozen"), kind="constant")
    roles = {"w": trained.name, "w_frozen": frozen.name}
    return _Split(roles, (trained, frozen), kept, inputs)


def _channels(layer: Node, whole: Tensor, at: slice, suffix: str) -> Tensor:
    """Returns the weights of some input channels, dense. Depthwise weights keep their scales."""
    assert whole.data is not None and whole.quant is not None
    data = np.ascontiguousarray(whole.data[..., at])
    quant = whole.quant
    if layer.operator.depthwise and len(quant.scale) > 1:
        quant = Quant(quant.scale[at], quant.zero, quant.axis)
    taken = whole.taken
    if taken is not None and layer.operator.depthwise:
        taken = replace(taken, rows=taken.rows[at])
    elif taken is not None:
        taken = replace(taken, columns=taken.columns[at])
    return replace(
        whole,
        name=f"{whole.name}_{suffix}",
        shape=data.shape,
        data=data,
        quant=quant,
        taken=taken,
    )


def _rewrite(
    graph: Graph,
    node: Node,
    splits: Mapping[str, _Split],
    updates: Mapping[str, LayerUpdate],
    tensors: dict[str, Tensor],
) -> list[Node]:
    """Returns the nodes of the sparse graph for one node of the full graph: none, itself, or
    several."""
    name = node.name if node.operator.weighted else node.layer
    if name not in splits:
        return [node]
    if node.op == "bias_update":
        return [node] if updates.get(name, _FROZEN).bias else []
    split = splits[name]
    if node.operator.updates:
        return _sparse_update(graph, node, split, tensors) if split.kept else []
    inputs = {role: t for role, t in node.inputs.items() if role not in ("w", "w_frozen")}
    return [replace(node, inputs={**inputs, **split.roles}, attrs=_kept(node.attrs, split.kept))]


def _sparse_update(
    graph: Graph, node: Node, split: _Split, tensors: dict[str, Tensor]
) -> list[Node]:
    """Returns the update, preceded by the node that saves the slice of x it reads."""
    x = graph.tensors[node.inputs["x"]]
    inputs = {**node.inputs, "w": split.roles["w"]}
    update = replace(node, inputs=inputs, attrs=_kept(node.attrs, split.kept))
    if "w_frozen" not in split.roles:
        return [update]
    channels = graph.tensors[node.inputs["w"]].shape[-1] * split.inputs // split.kept
    rows = x.shape[:-1] if x.shape[-1] == channels else (x.size // channels,)
    shape = (*rows, split.inputs)
    saved = Tensor(f"{x.name}_{node.name}_kept", shape, "int8", "activation", x.quant)
    tensors[saved.name] = saved
    keep = Node("keep", node.name, {"x": x.name}, {"y": saved.name}, AxisAttrs(0, split.inputs))
    return [keep, replace(update, inputs={**inputs, "x": saved.name})]


def _kept(attrs: Attrs, kept: int) -> Attrs:
    assert isinstance(attrs, WindowAttrs | DenseAttrs)
    return replace(attrs, kept=kept)


def _saves_first(nodes: list[Node]) -> list[Node]:
    """Moves each save directly after the producer of its input, so that x itself can be freed."""
    saves = [n for n in nodes if n.op == "keep"]
    others = [n for n in nodes if n.op != "keep"]
    by_tensor: dict[str, list[Node]] = {}
    for save in saves:
        by_tensor.setdefault(save.inputs["x"], []).append(save)
    produced = {t for n in others for t in n.outputs.values()}
    result = [s for t, group in by_tensor.items() if t not in produced for s in group]
    for node in others:
        result.append(node)
        for tensor in node.outputs.values():
            result.extend(by_tensor.get(tensor, ()))
    return result
