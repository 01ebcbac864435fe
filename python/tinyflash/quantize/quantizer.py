"""From float to int8 after training, by the conventions of TensorFlow Lite.

Activations: one scale and zero point each, from the range seen on samples. Weights: symmetric,
a scale per output channel (fully connected: one). Biases: int32, scale s_x s_w.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError
from tinyflash.graph import (
    Attrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    MeanAttrs,
    Node,
    Port,
    Quant,
    Tensor,
    WindowAttrs,
)
from tinyflash.quantize.network import INPUT, FloatNetwork, Floats, Layer, shapes, window_of
from tinyflash.read.fixedpoint import float32, round_half_away
from tinyflash.read.windows import bounds

_LEAST_RANGE = 1e-6  # of an activation that is zero on all samples
_INT32_MAX = 2**31 - 1
_ACTIVATIONS = {"": 0, "relu": 1, "relu6": 3}  # as read.windows.ACTIVATIONS numbers them


def quantize(network: FloatNetwork, samples: Floats, source: Quant | None = None) -> Graph:
    """`samples` [n][height][width][channels] calibrate; `source`: the input's coding, if it is set.

    Input and output of the graph are int8.
    """
    _check(network, samples)
    values = network.run(samples)
    quants = {name: _activation(value) for name, value in values.items()}
    if source is not None:
        quants[INPUT] = source
    builder = _Builder(network, quants)
    for layer in network.layers:
        builder.add(layer)
    return builder.graph()


def _check(network: FloatNetwork, samples: Floats) -> None:
    """Refuses what has no int8 counterpart."""
    if len(samples) == 0:
        raise DataError("there are no samples to calibrate with; give at least one")
    if samples.shape[1:] != network.shape:
        raise DataError(f"samples have shape {samples.shape}; {network.name} reads {network.shape}")
    if not np.isfinite(samples).all():
        raise DataError("samples to calibrate with hold numbers that are not finite")
    for name, weights in network.weights.items():
        if not (np.isfinite(weights.w).all() and np.isfinite(weights.b).all()):
            raise DataError(f"{network.name}: layer {name}: weights are not finite; train it again")


def _activation(values: Floats) -> Quant:
    """The scale and zero point that hold the range of `values`, and 0 exactly."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = float32(max(high - low, _LEAST_RANGE) / 255)
    return Quant((scale,), max(-128, min(127, round_half_away(-128 - low / scale))))


def _weights(w: Floats, axis: int | None) -> tuple[npt.NDArray[np.int8], Quant]:
    """Stored weights in [-127, 127]; `axis`: of the output channels, or None for one scale.

    A channel of zeros takes the layer's largest scale: a tiny one would make it untrainable.
    """
    others = tuple(i for i in range(w.ndim) if i != axis)
    peaks = np.abs(w).max(axis=None if axis is None else others, keepdims=True).astype(np.float64)
    largest = float(peaks.max()) or 1.0
    scales = (np.where(peaks > 0, peaks, largest) / 127).astype(np.float32)
    stored = np.clip(np.rint(w / scales.astype(np.float64)), -127, 127).astype(np.int8)
    return stored, Quant(tuple(float(s) for s in scales.ravel()), 0, axis or 0)


class _Builder:
    """A graph in the making."""

    def __init__(self, network: FloatNetwork, quants: dict[str, Quant]) -> None:
        self._network = network
        self._quants = quants
        self._shapes = shapes(network.shape, network.layers)
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._activation(INPUT)

    def graph(self) -> Graph:
        last = self._network.layers[-1].name
        return Graph(
            self._network.name,
            self._tensors,
            tuple(self._nodes),
            self._port(INPUT),
            self._port(last),
        )

    def add(self, layer: Layer) -> None:
        inputs = dict(
            zip(("a", "b") if layer.operator == "add" else "x", layer.inputs, strict=True)
        )
        if layer.has_weights:
            inputs.update(self._constants(layer))
        y = self._activation(layer.name)
        attrs = self._attrs(layer, bounds(_ACTIVATIONS[layer.activation], self._quants[layer.name]))
        self._nodes.append(Node(layer.operator, layer.name, inputs, {"y": y.name}, attrs))

    def _attrs(self, layer: Layer, clip: Clip) -> Attrs:
        if layer.operator == "add":
            return ClipAttrs(clip)
        if layer.operator == "mean":
            return MeanAttrs((1, 2))
        if layer.operator == "fully_connected":
            return DenseAttrs(clip)
        return WindowAttrs(window_of(layer, self._shapes[layer.inputs[0]]), clip)

    def _constants(self, layer: Layer) -> dict[str, str]:
        """Adds weights and bias; their names by role."""
        weights = self._network.weights[layer.name]
        axis = {"conv2d": 0, "depthwise": 2, "fully_connected": None}[layer.operator]
        w, quant = _weights(weights.w, axis)
        x_scale = self._quants[layer.inputs[0]].scale[0]
        limit = _INT32_MAX - 255 * 128 * (w.size // layer.out)  # SPEC 6.5
        real = weights.b / (x_scale * np.array(quant.scale))
        b = np.clip(np.rint(real), -limit, limit).astype(np.int32)
        return {
            "w_frozen": self._constant(f"{layer.name}.w", w, quant).name,
            "b": self._constant(f"{layer.name}.b", b, None).name,
        }

    def _constant(
        self, name: str, data: npt.NDArray[np.int8 | np.int32], quant: Quant | None
    ) -> Tensor:
        dtype: Literal["int8", "int32"] = "int8" if data.dtype == np.int8 else "int32"
        return self._keep(Tensor(name, data.shape, dtype, "constant", quant, data, self._next_id))

    def _activation(self, name: str) -> Tensor:
        shape, quant = (1, *self._shapes[name]), self._quants[name]
        return self._keep(Tensor(name, shape, "int8", "activation", quant, None, self._next_id))

    @property
    def _next_id(self) -> int:
        return len(self._tensors)

    def _keep(self, tensor: Tensor) -> Tensor:
        self._tensors[tensor.name] = tensor
        return tensor

    def _port(self, name: str) -> Port:
        tensor = self._tensors[name]
        return Port(name, "int8", tensor.shape, tensor.quant)
