"""Networks as lists of layers: what torch trains and what the planner plans are made from one list.

Maps are (height, width, channels); signals over time are maps of height 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, prod
from typing import Literal, Protocol

import numpy as np

from tinyflash.graph import MeanAttrs, Pair, Window
from tinyflash.operators import WEIGHTED
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.graph import (
    NOTHING,
    UNBOUNDED,
    Bounds,
    FloatAttrs,
    FloatNode,
    Source,
    Weights,
)
from tinyflash.quantize.windows import output_size, same_padding

Family = Literal["picture", "signal"]
Operator = Literal["conv2d", "depthwise", "fully_connected", "add", "mean", "average_pool"]
Activation = Literal["", "relu", "relu6"]
Shape = tuple[int, ...]
Map = tuple[int, int, int]

INPUT = "input"  # the name of the network's input
_BOUNDS: Mapping[Activation, Bounds] = {"": UNBOUNDED, "relu": (0.0, inf), "relu6": (0.0, 6.0)}


@dataclass(frozen=True)
class Layer:
    """One layer. `out`: its channels, if it has weights. Padding keeps the size.

    mean is over rows and columns; add is of two maps of one shape; average_pool has no padding, so
    what does not fill a window is left out.
    """

    operator: Operator
    name: str
    inputs: tuple[str, ...]
    out: int = 0
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    activation: Activation = ""

    @property
    def has_weights(self) -> bool:
        return self.operator in WEIGHTED


class Network(Protocol):
    """What can be planned and trained. key: a short name that tells it from every other one."""

    @property
    def family(self) -> Family: ...
    @property
    def shape(self) -> Map: ...
    @property
    def layers(self) -> tuple[Layer, ...]: ...
    @property
    def macs(self) -> int: ...
    @property
    def key(self) -> str: ...


@dataclass(frozen=True)
class Listed:
    """A network that is given as its layers."""

    family: Family
    shape: Map
    layers: tuple[Layer, ...]

    @cached_property
    def macs(self) -> int:
        """The multiply-adds of one inference."""
        return multiply_adds(self.shape, self.layers)

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(repr((self.family, self.shape, self.layers)).encode()).hexdigest()


def window_of(layer: Layer, size: Shape) -> Window:
    """Returns the layer's window over a map of `size` (height, width)."""
    if layer.operator == "average_pool":
        return Window(layer.kernel, layer.stride, (1, 1), (0, 0, 0, 0))
    top, bottom = same_padding(size[0], layer.kernel[0], layer.stride[0], 1)
    left, right = same_padding(size[1], layer.kernel[1], layer.stride[1], 1)
    return Window(layer.kernel, layer.stride, (1, 1), (top, left, bottom, right))


def shapes(shape: Map, layers: tuple[Layer, ...]) -> dict[str, Shape]:
    """Returns the output shape of every layer, without the batch: (height, width, channels), or
    (channels,)."""
    found: dict[str, Shape] = {INPUT: shape}
    for layer in layers:
        x = found[layer.inputs[0]]
        if layer.operator == "add":
            found[layer.name] = x
        elif layer.operator == "mean":
            found[layer.name] = x[-1:]
        elif layer.operator == "fully_connected":
            found[layer.name] = (layer.out,)
        else:
            height, width = output_size(window_of(layer, x[:2]), (x[0], x[1]))
            found[layer.name] = (height, width, layer.out or x[2])
    return found


def weight_shape(layer: Layer, channels: int) -> Shape:
    """Returns the shape of a layer's weights, as operators.py has them. channels: of its input."""
    if layer.operator == "fully_connected":
        return (layer.out, channels)
    if layer.operator == "depthwise":
        return (*layer.kernel, layer.out)
    return (layer.out, *layer.kernel, channels)


def multiply_adds(shape: Map, layers: tuple[Layer, ...]) -> int:
    """Returns the multiply-adds of one inference."""
    sizes, total = shapes(shape, layers), 0
    for layer in layers:
        if layer.has_weights:
            weights = prod(weight_shape(layer, sizes[layer.inputs[0]][-1]))
            total += weights * prod(sizes[layer.name][:-1])
    return total


def map_values(shape: Map, layers: tuple[Layer, ...]) -> int:
    """Returns the number of values of all layers' outputs, for one sample."""
    sizes = shapes(shape, layers)
    return sum(prod(sizes[layer.name]) for layer in layers)


def float_graph(
    name: str, shape: Map, layers: tuple[Layer, ...], weights: Mapping[str, Weights]
) -> FloatGraph:
    """Returns the network that reads maps of `shape`, channels last. weights: by layer."""
    sizes = shapes(shape, layers)
    nodes = tuple(_node(layer, sizes, weights.get(layer.name)) for layer in layers)
    return FloatGraph(name, Source(INPUT, shape, (0, 1, 2), (1, *shape)), nodes, layers[-1].name)


def _node(layer: Layer, sizes: Mapping[str, Shape], weights: Weights | None) -> FloatNode:
    x = sizes[layer.inputs[0]]
    attrs: FloatAttrs = NOTHING
    if layer.operator == "mean":
        attrs = MeanAttrs((1, 2) if x[0] > 1 else (2,))
    elif layer.operator in ("conv2d", "depthwise", "average_pool"):
        attrs = window_of(layer, x[:2])
    bounds, y = _BOUNDS[layer.activation], (1, *sizes[layer.name])
    return FloatNode(layer.operator, layer.name, layer.inputs, y, attrs, weights, bounds)


def random_weights(shape: Map, layers: tuple[Layer, ...], seed: int) -> dict[str, Weights]:
    """Returns weights that keep the size of signals, for the memory plan of an untrained network:
    no channel is constant, so none is removed."""
    random, sizes = np.random.default_rng(seed), shapes(shape, layers)
    found = {}
    for layer in layers:
        if layer.has_weights:
            size = weight_shape(layer, sizes[layer.inputs[0]][-1])
            spread = (2 * layer.out / prod(size)) ** 0.5
            w = (spread * random.standard_normal(size)).astype(np.float32)
            found[layer.name] = Weights(w, np.zeros(layer.out, np.float32))
    return found
