"""Preconditions of layers with weights, forward."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.constants import (
    bias_limit,
    dead_channels,
    largest_shift,
    quant_of,
    sum_limit,
)
from tinyflash.graph import Graph, Node
from tinyflash.layers import terms, weight_of
from tinyflash.limits import products_left

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
LARGEST_SHIFT = 30


def terms_of_sum(graph: Graph, layer: Node) -> str:
    """10.5."""
    count = terms(graph, layer)
    text = (
        f"{count:,} products per output element could overflow 32 bits; at most 65,793 are "
        "supported"
    )
    return text if products_left(count) < 1 else ""


def requantized(graph: Graph, layer: Node) -> str:
    """10.6: no sum that this layer can make leaves int32 when it is rescaled (SPEC 1.2, 2.2)."""
    if terms_of_sum(graph, layer):
        return ""  # refused by 10.5
    shift = largest_shift(graph, layer)
    x, y = (quant_of(graph, t) for t in (layer.inputs["x"], layer.outputs["y"]))
    text = f"output scale {y.scale[0]:.3g} is too small for input scale {x.scale[0]:.3g}"
    if shift > LARGEST_SHIFT:
        return f"{text}: its sums would be shifted by {shift} bits, at most 30 are supported"
    moving = _moving(graph, layer)
    if moving.any() and bias_limit(graph, layer) <= 0:
        return f"{text}, since its weights are trained"
    largest = int(_largest_sums(graph, layer)[~moving].max(initial=0))
    if shift < 0:
        text = f"a bias and its products sum to {largest:,}, beyond 32 bits"
    return text if largest > sum_limit(graph, layer) else ""


def biases(graph: Graph, layer: Node) -> str:
    """10.7. A layer that does not move needs no limit: its sums are known (10.6). Dead channels
    of one that does need it, since their weights can be restored to anything."""
    if "b" not in layer.inputs or not _moves(graph, layer):
        return ""
    limit = bias_limit(graph, layer)
    largest = int(np.abs(_ints(graph, layer.inputs["b"])).max())
    text = f"a bias of {largest:,} could overflow 32 bits; at most {limit:,} are supported"
    return text if largest > limit else ""


def _moving(graph: Graph, layer: Node) -> Bools:
    """The output channels whose weights or bias training changes: dead ones never move."""
    return ~np.array(dead_channels(graph, layer)) & _moves(graph, layer)


def _moves(graph: Graph, layer: Node) -> bool:
    """Whether training changes weights or biases of a layer."""
    names = (*weight_of(layer), *(layer.inputs[r] for r in ("b",) if r in layer.inputs))
    return any(graph.tensors[name].kind == "trainable" for name in names)


def _largest_sums(graph: Graph, layer: Node) -> Ints:
    """The largest magnitude of any sum of SPEC 2.1 by output channel, of the weights as they are.
    Padding may take any tap away."""
    zero = quant_of(graph, layer.inputs["x"]).zero
    axis = layer.operator.out_axis
    weights = [np.moveaxis(_ints(graph, name), axis, 0) for name in weight_of(layer)]
    rows = [w.reshape(len(w), -1) for w in weights]
    w = np.concatenate(rows, axis=0 if layer.operator.depthwise else 1)
    ends = w * (-128 - zero), w * (127 - zero)
    b = _ints(graph, layer.inputs["b"]) if "b" in layer.inputs else np.zeros(len(w), np.int64)
    low = b + np.minimum(*ends).clip(max=0).sum(axis=1)
    high = b + np.maximum(*ends).clip(min=0).sum(axis=1)
    largest: Ints = np.maximum(-low, high)
    return largest


def _ints(graph: Graph, constant: str) -> Ints:
    data = graph.tensors[constant].data
    assert data is not None
    wide: Ints = data.astype(np.int64)
    return wide
