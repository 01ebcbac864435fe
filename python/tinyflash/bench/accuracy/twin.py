"""The float twin of an int8 network: the same function of real numbers, trained by torch.

The plain twin is the network without quantization: weights and activations are floats, bounded only
if the layer has a real activation function. With `fake`, the forward pass rounds every stored
tensor to its grid, and gradients pass straight through: the usual simulation of int8 training in
the literature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.bench.accuracy.operators import Real, forward, real
from tinyflash.compiler.constants import dead_channels, scale_of
from tinyflash.compiler.passes.differentiate import is_masked
from tinyflash.compiler.passes.prune import prune_to_output
from tinyflash.errors import TinyflashError
from tinyflash.graph import (
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    Node,
    Port,
    Quant,
    WindowAttrs,
)
from tinyflash.layers import weight_scales
from tinyflash.runtime.session import Int8Array
from tinyflash.scheme import LayerUpdate

BATCH = 64  # samples per evaluation batch
RELU6_SLACK = 0.02  # an int8 range that ends this close to 6 is a ReLU6


def load_torch() -> Any:
    """Imports torch, on one thread. Only float methods need this extra."""
    try:
        import torch
    except ImportError:
        raise TinyflashError(
            "float methods need torch; run pip install torch, or use --ours"
        ) from None
    torch.set_num_threads(1)
    return torch


@dataclass
class Layer:
    """Weights in the graph's layout and biases, as torch leaves, and masks of their trained parts.

    live: 1 for each output channel that learns, 0 for a dead one, shaped to multiply the weights.
    """

    w: Real
    b: Real | None
    w_quant: Quant
    update: LayerUpdate
    live: Real

    def step(self, rate: float, fake: bool) -> None:
        """Runs one step of gradient descent. fake: master weights stay in the range of int8."""
        kept = self.update.kept
        if kept:
            live = self.live[..., :kept] if self.live.shape[-1] > 1 else self.live
            self.w.data[..., :kept] -= (
                rate * self.update.weight_rate * live * self.w.grad[..., :kept]
            )
            self.w.grad = None
            if fake:
                reach = 127 * self.scale
                self.w.data.clamp_(-reach, reach)
        if self.update.bias and self.b is not None:
            self.b.data -= rate * self.update.bias_rate * self.live.flatten() * self.b.grad
            self.b.grad = None

    @cached_property
    def scale(self) -> Real:
        """The weight scales, shaped to multiply the weights."""
        import torch

        ones = np.ones([1] * self.w.ndim, np.int8)
        return torch.from_numpy(real(ones, replace(self.w_quant, zero=0)))


class Twin:
    """`graph`: forward only, its `logits` named. `updates`: what each layer trains, by name."""

    def __init__(
        self, graph: Graph, updates: Mapping[str, LayerUpdate], fake: bool = False
    ) -> None:
        self.torch = load_torch()
        logits = graph.tensors[graph.logits]
        port = Port(logits.name, "int8", logits.shape, logits.quant)
        self.graph = prune_to_output(replace(graph, output=port))
        self.fake = fake
        self.layers = {
            n.name: self._layer(n, updates) for n in self.graph.nodes if n.operator.weighted
        }
        self.constants = self._constants()

    def logits(self, x: Int8Array) -> npt.NDArray[np.float32]:
        """Returns real logits [n][classes] of samples in stored integers."""
        with self.torch.no_grad():
            parts = [self._run(x[i : i + BATCH]).numpy() for i in range(0, len(x), BATCH)]
        return np.concatenate(parts)

    def step(self, x: Int8Array, label: int, rate: float) -> None:
        """Runs one step of plain gradient descent on one sample."""
        logits = self._run(x[np.newaxis])
        target = self.torch.tensor([label])
        self.torch.nn.functional.cross_entropy(logits, target).backward()
        for layer in self.layers.values():
            layer.step(rate, self.fake)

    def weights(self, layer: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Returns the real weights and biases of a layer, in the graph's layout."""
        found = self.layers[layer]
        return found.w.detach().numpy(), None if found.b is None else found.b.detach().numpy()

    # ---- Construction ----------------------------------------------------------------------------

    def _layer(self, node: Node, updates: Mapping[str, LayerUpdate]) -> Layer:
        update = updates.get(node.name, LayerUpdate(0, 0, False))
        w = self.graph.tensors[node.inputs["w_frozen"]]
        b = self.graph.tensors[node.inputs["b"]] if "b" in node.inputs else None
        assert w.quant is not None and w.data is not None
        unit = scale_of(self.graph, node.inputs["x"]) * np.array(weight_scales(self.graph, node))
        live = ~np.array(dead_channels(self.graph, node))
        shape = live.shape if node.operator.depthwise else (-1, *[1] * (len(w.shape) - 1))
        return Layer(
            self._leaf(real(w.data, w.quant), update.kept > 0),
            None
            if b is None or b.data is None
            else self._leaf(np.multiply(b.data, unit), update.bias),
            w.quant,
            update,
            self.torch.from_numpy(live.astype(np.float32).reshape(shape)),
        )

    def _leaf(self, values: npt.NDArray[Any], trained: bool) -> Real:
        return self.torch.tensor(values, dtype=self.torch.float32, requires_grad=trained)

    def _constants(self) -> dict[str, Real]:
        """Returns operands that are neither weights nor computed, such as a constant map in a
        sum."""
        result = {}
        for node in self.graph.nodes:
            for role, name in node.inputs.items():
                tensor = self.graph.tensors[name]
                if tensor.data is not None and role not in ("w_frozen", "b", "table"):
                    values = real(tensor.data, tensor.quant)[np.newaxis]
                    result[name] = self.torch.from_numpy(values)
        return result

    # ---- Forward ---------------------------------------------------------------------------------

    def _run(self, x: Int8Array) -> Real:
        """Returns logits [batch][classes]. Layers before the first trained one record no gradient,
        since their inputs and weights do not require one."""
        source = self.graph.tensors[self.graph.input.tensor]
        stored = x.view(np.uint8) if source.quant is None else x
        values = stored.reshape(len(x), *source.shape)
        known = {source.name: self.torch.from_numpy(real(values, source.quant)), **self.constants}
        for node in self.graph.nodes:
            inputs = {role: known[name] for role, name in node.inputs.items() if name in known}
            if node.operator.weighted:
                inputs |= self._parameters(self.layers[node.name])
            y = forward(node, self.graph.tensors, inputs)
            name = node.outputs["y"]
            known[name] = self._stored(node, y) if self.fake else _bounded(self.graph, node, y)
        return known[self.graph.logits].flatten(1)

    def _parameters(self, layer: Layer) -> dict[str, Real]:
        result = {"w": layer.w}
        if layer.b is not None:
            result["b"] = layer.b
        if self.fake and layer.update.kept:
            result["w"] = _straight(layer.w, (layer.w / layer.scale).round() * layer.scale)
        return result

    def _stored(self, node: Node, y: Real) -> Real:
        """Returns a node's output on the int8 grid. Clipped elements pass no gradient."""
        tensor = self.graph.tensors[node.outputs["y"]]
        if tensor.quant is None or node.operator.moves:
            return y
        scale, zero, clip = tensor.quant.scale[0], tensor.quant.zero, _clip(node)
        stored = ((y.detach() / scale).round() + zero).clamp(clip.low, clip.high)
        if _is_clipped(self.graph, node):
            y = y * ((stored > clip.low) & (stored < clip.high))
        return _straight(y, (stored - zero) * scale)


def _straight(y: Real, value: Real) -> Real:
    """Returns `value`, with the gradient of y."""
    return y + (value - y).detach()


def _clip(node: Node) -> Clip:
    if isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs | LookupAttrs):
        return node.attrs.clip
    return Clip()


def _is_clipped(graph: Graph, node: Node) -> bool:
    """Whether no gradient passes where the output is clipped (SPEC 4.4, 4.6)."""
    return (is_masked(node) or node.op == "lookup") and node.outputs["y"] != graph.logits


def _bounded(graph: Graph, node: Node, y: Real) -> Real:
    """Returns the output, clipped by the layer's activation function, if it has one."""
    if not _is_clipped(graph, node):
        return y
    low, high = bounds(graph, node)
    return y if math.isinf(low) and math.isinf(high) else y.clamp(low, high)


def bounds(graph: Graph, node: Node) -> tuple[float, float]:
    """Returns the real bounds of the activation function that the int8 coding implies; infinite if
    none.

    A zero point at the lower end of int8 implies ReLU; a range that ends at 6 implies ReLU6. Other
    ends of int8 are limits of the number format, which a float network does not have.
    """
    quant, clip = graph.tensors[node.outputs["y"]].quant, _clip(node)
    assert quant is not None
    scale, zero = quant.scale[0], quant.zero
    low = scale * (clip.low - zero) if clip.low > -128 or zero == -128 else -math.inf
    high = scale * (clip.high - zero)
    if clip.high == 127:
        high = 6.0 if abs(high - 6) <= 6 * RELU6_SLACK and low == 0 else math.inf
    return low, high
