"""Float networks: layers in order of execution, each named, each reading earlier ones by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Pair, Window
from tinyflash.read.windows import output_size, same_padding

Floats = npt.NDArray[np.float32]
Operator = Literal["conv2d", "depthwise", "fully_connected", "add", "mean"]
Activation = Literal["", "relu", "relu6"]
Shape = tuple[int, ...]

# Patches, by (n)umber, (y), (x), (c)hannel, (k)ernel row and co(l)umn, times weights.
_EINSUMS = {"conv2d": "nyxckl,oklc->nyxo", "depthwise": "nyxckl,klc->nyxc"}

INPUT = "input"  # the name of what the network reads


@dataclass(frozen=True)
class Layer:
    """What a layer computes; `out`: its channels, where it has weights. Padding keeps the size.

    mean is over rows and columns; add is of two maps of one shape.
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
        return self.operator in ("conv2d", "depthwise", "fully_connected")


@dataclass(frozen=True)
class Weights:
    """w as in graph.ROLES: conv2d [out][kh][kw][in], depthwise [kh][kw][out], fully_connected
    [out][in]; b [out].
    """

    w: Floats
    b: Floats


@dataclass(frozen=True)
class FloatNetwork:
    """The last layer is the output. `shape` of the input: (height, width, channels)."""

    name: str
    shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    weights: Mapping[str, Weights]

    def run(self, x: Floats) -> dict[str, Floats]:
        """Samples [n][height][width][channels] -> what every layer makes of them, by name."""
        values: dict[str, Floats] = {INPUT: np.asarray(x, np.float32)}
        for layer in self.layers:
            operands = [values[name] for name in layer.inputs]
            values[layer.name] = _activate(layer, self._linear(layer, operands))
        return values

    def _linear(self, layer: Layer, operands: list[Floats]) -> Floats:
        x = operands[0]
        if layer.operator == "add":
            return x + operands[1]
        if layer.operator == "mean":
            return np.asarray(x.mean(axis=(1, 2), dtype=np.float32))
        weights = self.weights[layer.name]
        if layer.operator == "fully_connected":
            y: Floats = x.reshape(len(x), -1) @ weights.w.T
        else:
            patches = _patches(x, window_of(layer, x.shape[1:3]))
            y = np.einsum(_EINSUMS[layer.operator], patches, weights.w, optimize=True)
        y += weights.b
        return y


def window_of(layer: Layer, size: Shape) -> Window:
    """The layer's window over a map of `size` (height, width)."""
    top, bottom = same_padding(size[0], layer.kernel[0], layer.stride[0], 1)
    left, right = same_padding(size[1], layer.kernel[1], layer.stride[1], 1)
    return Window(layer.kernel, layer.stride, (1, 1), (top, left, bottom, right))


def shapes(shape: tuple[int, int, int], layers: tuple[Layer, ...]) -> dict[str, Shape]:
    """What every layer makes, without the batch: (height, width, channels), or (channels,)."""
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
            found[layer.name] = (height, width, layer.out)
    return found


def _patches(x: Floats, window: Window) -> Floats:
    """[n][h][w][c] -> [n][out h][out w][c][kh][kw]."""
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, window.kernel, axis=(1, 2))
    strided: Floats = views[:, :: window.stride[0], :: window.stride[1]]
    return strided


def _activate(layer: Layer, x: Floats) -> Floats:
    if layer.activation == "relu":
        return np.maximum(x, 0)
    if layer.activation == "relu6":
        return np.clip(x, 0, 6)
    return x
