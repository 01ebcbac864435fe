"""Builds the small network around the layer of a case, with random weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyflash.bench.kernels.cases import POINT, Case
from tinyflash.graph import Clip, ClipAttrs, Graph, Node, Port, Quant, Tensor, Window, WindowAttrs
from tinyflash.quantize.fixedpoint import float32
from tinyflash.scheme import Rule, Scheme
from tinyflash.scheme.loss import Loss

LAYER, SOURCE = "layer", "source"
_SIDE = 73.6  # standard deviation of what is uniform in [-127, 127]
_SPAN = 45.0  # that of outputs, in stored units, so that few values clip
_ZERO = -20  # of all maps
_LEAST = 0.25  # smallest weight scale of a channel, relative to the largest
_CLIPPED = Clip(-100, 127)  # of the layer before one whose input gradient is counted: a mask


def network(case: Case) -> tuple[Graph, Scheme | None]:
    """Returns a network in which one row of the table is the case, and what to train.

    A gradient needs a layer before it that learns: a convolution of 1x1 with a mask, of two input
    channels. An update needs none. The loss is the squared error, whose gradient is dense.
    """
    draft = _Draft()
    height, width, channels = case.x
    if case.kernel.endswith("backward_input"):
        x = draft.convolution(SOURCE, draft.input((height, width, 2)), channels, POINT, _CLIPPED)
    else:
        x = draft.input(case.x)
    graph = draft.graph(_layer(draft, case, x))
    if case.forward:
        return graph, None
    learns = LAYER if case.kernel.endswith("update") else SOURCE
    rules = (
        Rule(layers=(LAYER, SOURCE)[: len(graph.nodes)], weights=0.0, bias=False),
        Rule(layers=(learns,), weights=1.0 if learns == LAYER else None, bias=True),
    )
    return graph, Scheme(rules=rules, loss=Loss("mean_squared_error"))


def _layer(draft: _Draft, case: Case, x: str) -> str:
    if case.op == "average_pool":
        return draft.average(x, case.window)
    if case.op == "add":
        return draft.add(x, draft.convolution(SOURCE, x, case.out, POINT))
    return draft.convolution(LAYER, x, case.out, case.window, depthwise=case.op == "depthwise")


@dataclass
class _Draft:
    """A graph under construction. Methods return the name of what they add."""

    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def input(self, shape: tuple[int, ...]) -> str:
        return self._map("x", shape, 0.03)

    def convolution(
        self, name: str, x: str, out: int, window: Window, clip: Clip | None = None,
        depthwise: bool = False,
    ) -> str:  # fmt: skip
        """Adds a layer with weights; scales of channels are drawn, sums fill the range of y."""
        channels = self.tensors[x].shape[-1]
        shape = (*window.kernel, out) if depthwise else (out, *window.kernel, channels)
        terms = math.prod(shape) // out
        scales = np.exp(self.random.uniform(np.log(_LEAST), 0, out))
        scales /= scales.max() * _SIDE * math.sqrt(terms)
        quant = Quant(tuple(map(float32, scales.tolist())), 0, 2 if depthwise else 0)
        unit = self._scale(x)
        spread = 60 * unit if x == "x" else _SPAN * unit  # real, of values of x
        w = self.random.integers(-127, 128, shape).astype(np.int8)
        b = self.random.normal(0, 0.5, out) * spread / (unit * scales)
        inputs = {
            "x": x,
            "w_frozen": self._constant(f"{name}.w", w, quant),
            "b": self._constant(f"{name}.b", np.rint(b).astype(np.int32), None),
        }
        size = (*_slid(self.tensors[x].shape, window), out)
        attrs = WindowAttrs(window, clip or Clip())
        y = self._map(name, size, spread / _SPAN)
        op = "depthwise" if depthwise else "conv2d"
        return self._node(Node(op, name, inputs, {"y": y}, attrs))

    def average(self, x: str, window: Window) -> str:
        size = (*_slid(self.tensors[x].shape, window), self.tensors[x].shape[-1])
        y = self._map(LAYER, size, self._scale(x))
        return self._node(Node("average_pool", LAYER, {"x": x}, {"y": y}, WindowAttrs(window)))

    def add(self, a: str, b: str) -> str:
        span = math.hypot(60 * self._scale(a), _SPAN * self._scale(b))
        y = self._map(LAYER, self.tensors[a].shape[1:], span / _SPAN)
        return self._node(Node("add", LAYER, {"a": a, "b": b}, {"y": y}, ClipAttrs()))

    def graph(self, y: str) -> Graph:
        first, last = (
            Port(t.name, "int8", t.shape, t.quant) for t in (self.tensors["x"], self.tensors[y])
        )
        return Graph("kernel", self.tensors, tuple(self.nodes), first, last)

    def _scale(self, name: str) -> float:
        quant = self.tensors[name].quant
        assert quant is not None
        return quant.scale[0]

    def _node(self, node: Node) -> str:
        self.nodes.append(node)
        return node.outputs["y"]

    def _map(self, name: str, shape: tuple[int, ...], scale: float) -> str:
        quant = Quant((float32(scale),), _ZERO)
        return self._keep(Tensor(name, (1, *shape), "int8", "activation", quant))

    def _constant(
        self, name: str, data: npt.NDArray[np.int8 | np.int32], quant: Quant | None
    ) -> str:
        return self._keep(
            Tensor(name, data.shape, "int8" if quant else "int32", "constant", quant, data)
        )

    def _keep(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = replace(tensor, source_id=len(self.tensors))
        return tensor.name


def _slid(shape: tuple[int, ...], window: Window) -> tuple[int, int]:
    """Returns height and width of what a window makes of a map."""
    top, left, bottom, right = window.padding
    sizes = (shape[-3] + top + bottom, shape[-2] + left + right)
    rows, columns = (
        (size - k) // s + 1 for size, k, s in zip(sizes, window.kernel, window.stride, strict=True)
    )
    return rows, columns
