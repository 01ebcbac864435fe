"""The reference networks as int8 graphs: published shapes and scales, random weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyflash.compiler.constants import DEAD_RATIO
from tinyflash.compiler.passes.head import LOGIT_SCALE
from tinyflash.graph import (
    Attrs,
    ClipAttrs,
    DenseAttrs,
    Graph,
    MeanAttrs,
    Node,
    Port,
    Quant,
    Tensor,
    Window,
    WindowAttrs,
)
from tinyflash.quantize.fixedpoint import float32
from tinyflash.zoo.fitting import Shape, Stored, drawn
from tinyflash.zoo.published import Convolution, convolutions

SIDE = 128  # of the picture
CLASSES = 10
_INPUT = "picture"
_PIXEL = Quant((float32(1 / 127.5),), 0)  # pixels from -1 to 1
# The weight scales of live channels are this far below the layer's largest. The released models
# also have far smaller ones, but only in single channels.
_LEAST_RATIO = 1 / 64
_CLASSIFIER = 15  # largest weight: logits are a few units, and no class is certain
_CLASSIFIER_SCALE = float32(1 / 127)


def reference_network(name: str, seed: int = 0) -> Graph:
    """Builds one of published.NETWORKS, for pictures of 128x128x3 and 10 classes. seed: of all
    weights."""
    random = np.random.default_rng(seed)
    builder = _Builder(random)
    x = block = builder.activation(_INPUT, _PIXEL, _picture(random))
    for row in convolutions(name):
        x = builder.convolution(row, x)
        if row.block_output is not None:
            x = builder.add(f"{row.block}.add", block, x, row.block_output)
        if row.ends_block:
            block = x
    logits = builder.classifier("classifier", builder.mean("pool", x))
    source, output = (
        Port(t.name, "int8", t.shape, t.quant) for t in (builder.tensors[_INPUT], logits)
    )
    return Graph(name, builder.tensors, tuple(builder.nodes), source, output)


def _picture(random: np.random.Generator) -> Stored:
    """Draws patches of colour with noise."""
    patches = random.integers(-90, 91, (SIDE // 8, SIDE // 8, 3))
    noise = random.integers(-37, 38, (SIDE, SIDE, 3))
    return np.asarray(np.kron(patches, np.ones((8, 8, 1))) + noise, np.float64)


def _weight_scales(row: Convolution, random: np.random.Generator) -> tuple[float, ...]:
    """Draws log-uniform scales, with the `dead` channels, at least one, at the published
    minimum."""
    low = max(row.smallest_scale, row.largest_scale * _LEAST_RATIO)
    scales = np.exp(random.uniform(np.log(low), np.log(row.largest_scale), row.out))
    scales[random.permutation(row.out)[: max(1, row.dead)]] = row.smallest_scale
    return tuple(float32(float(scale)) for scale in scales)


@dataclass
class _Builder:
    """A graph under construction, with its activations for one picture."""

    random: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Stored] = field(default_factory=dict)

    def convolution(self, row: Convolution, x: Tensor) -> Tensor:
        scales = _weight_scales(row, self.random)
        living = np.where(np.array(scales) < DEAD_RATIO * max(scales), 0.0, scales)
        sides, step, edge = (row.kernel,) * 2, (row.stride,) * 2, (row.kernel // 2,) * 4
        window = Window(sides, step, (1, 1), edge)
        shape = Shape(window, row.out, row.depthwise)
        units = living * _scale(x) / row.y.scale[0]
        layer = drawn(self._centred(x), shape, units, row.y.zero, self.random)
        w = layer.w if row.depthwise else np.moveaxis(layer.w, -1, 0)
        quant = Quant(scales, 0, 2 if row.depthwise else 0)
        inputs = {"x": x.name, **self._constants(row.layer, w, quant, layer.b)}
        op = "depthwise" if row.depthwise else "conv2d"
        return self._node(op, row.layer, inputs, WindowAttrs(window), row.y, layer.y)

    def add(self, name: str, a: Tensor, b: Tensor, quant: Quant) -> Tensor:
        real = sum(_scale(t) * self._centred(t) for t in (a, b))
        value = np.clip(np.rint(real / quant.scale[0]) + quant.zero, -128, 127)
        return self._node("add", name, {"a": a.name, "b": b.name}, ClipAttrs(), quant, value)

    def mean(self, name: str, x: Tensor) -> Tensor:
        """Adds a mean over all positions: [1][channels], in x's own unit."""
        assert x.quant is not None
        value = np.rint(self.values[x.name].mean(axis=(0, 1)))
        return self._node("mean", name, {"x": x.name}, MeanAttrs((1, 2)), x.quant, value)

    def classifier(self, name: str, x: Tensor) -> Tensor:
        """Adds a classifier in the units of a new one (passes/head.py). Its weights are small, but
        not 0: zero weights would pass no gradient."""
        size = (CLASSES, x.shape[-1])
        w = self.random.integers(-_CLASSIFIER, _CLASSIFIER + 1, size).astype(np.int8)
        b = np.zeros(CLASSES, np.int32)
        inputs = {"x": x.name, **self._constants(name, w, Quant((_CLASSIFIER_SCALE,)), b)}
        logits = w @ self._centred(x) * (_scale(x) * _CLASSIFIER_SCALE / LOGIT_SCALE)
        quant, value = Quant((LOGIT_SCALE,)), np.clip(np.rint(logits), -128, 127)
        return self._node("fully_connected", name, inputs, DenseAttrs(), quant, value)

    def activation(self, name: str, quant: Quant, value: Stored) -> Tensor:
        self.values[name] = value
        return self._keep(Tensor(name, (1, *value.shape), "int8", "activation", quant))

    def _node(
        self, op: str, name: str, inputs: dict[str, str], attrs: Attrs, quant: Quant, value: Stored
    ) -> Tensor:
        """Adds a node. Its output has the same name."""
        y = self.activation(name, quant, value)
        self.nodes.append(Node(op, name, inputs, {"y": y.name}, attrs))
        return y

    def _constants(
        self, name: str, w: npt.NDArray[np.int8], quant: Quant, b: npt.NDArray[np.int32]
    ) -> dict[str, str]:
        """Adds weights and biases. Returns their names by role."""
        w = np.ascontiguousarray(w)
        weights = self._keep(Tensor(f"{name}.w", w.shape, "int8", "constant", quant, w))
        biases = self._keep(Tensor(f"{name}.b", b.shape, "int32", "constant", None, b))
        return {"w_frozen": weights.name, "b": biases.name}

    def _keep(self, tensor: Tensor) -> Tensor:
        kept = replace(tensor, source_id=len(self.tensors))
        self.tensors[kept.name] = kept
        return kept

    def _centred(self, x: Tensor) -> Stored:
        """Returns the values minus the zero point."""
        assert x.quant is not None
        return self.values[x.name] - x.quant.zero


def _scale(x: Tensor) -> float:
    assert x.quant is not None
    return x.quant.scale[0]
