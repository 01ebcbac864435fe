"""Builders of small graphs with random weights, as a reader would deliver them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from tests.support.functions import FUNCTIONS, attrs_of

from tinyflash.graph import (
    Attrs,
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    MeanAttrs,
    NoAttrs,
    Node,
    PadAttrs,
    Pair,
    Port,
    Quant,
    SoftmaxAttrs,
    Steps,
    TakeAttrs,
    Tensor,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.quantize.tables import Coding, requantize, softmax_exponentials

DEVIATION = 73.6  # standard deviation of a weight, uniform in [-127, 127]
WHOLE = Clip()
SPAN = 45.0  # stored units that one standard deviation of an output takes: few values clip


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Layer:
    """What layers with weights have in common.

    spread: bound of the ratio between weight scales; dead: channels at 1e-9 of the largest scale;
    gain: how many times finer the output's scale is than its values need, so that most saturate.
    """

    spread: float = 4.0
    dead: int = 0
    bias: bool = True
    zero: int = 3
    clip: Clip = WHOLE
    per_tensor: bool = False
    gain: float = 1.0


PLAIN = Layer()


@dataclass
class Net:
    """Collects nodes; each method adds one and returns the name of its output tensor."""

    rng: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    spans: dict[str, float] = field(default_factory=dict)  # real standard deviation, by tensor

    def input(self, shape: tuple[int, ...], zero: int = -7, scale: float = 0.03) -> str:
        return self._activation("x", shape, zero, scale, span=scale * 60)

    # ---- Layers with weights -----------------------------------------------------------------

    def conv2d(
        self, x: str, out: int, window: Window, layer: Layer = PLAIN, groups: int = 1
    ) -> str:
        shape = (out, *window.kernel, self.tensors[x].shape[-1] // groups)
        y_shape = (*slid(self.tensors[x].shape, window), out)
        attrs = WindowAttrs(window, layer.clip, groups=groups)
        return self._weighted("conv2d", x, shape, y_shape, attrs, layer)

    def depthwise(self, x: str, window: Window, layer: Layer = PLAIN, multiplier: int = 1) -> str:
        channels = self.tensors[x].shape[-1] * multiplier
        y_shape = (*slid(self.tensors[x].shape, window), channels)
        attrs = WindowAttrs(window, layer.clip)
        return self._weighted("depthwise", x, (*window.kernel, channels), y_shape, attrs, layer)

    def fully_connected(self, x: str, out: int, layer: Layer = PLAIN) -> str:
        shape = self.tensors[x].shape
        attrs = DenseAttrs(layer.clip)
        y_shape = (*shape[:-1], out)
        return self._weighted("fully_connected", x, (out, shape[-1]), y_shape, attrs, layer)

    def _weighted(
        self,
        op: str,
        x: str,
        w_shape: tuple[int, ...],
        y_shape: tuple[int, ...],
        attrs: Attrs,
        layer: Layer,
    ) -> str:
        name = f"{op}_{len(self.nodes)}"
        out = y_shape[-1]
        terms = math.prod(w_shape) // out
        w_scales = self._weight_scales(1 if layer.per_tensor else out, terms, layer)
        s_x, span = self._scale(x), self.spans[x]
        y = self._activation(f"{name}_y", y_shape, layer.zero, span / SPAN / layer.gain, span)
        axis = len(w_shape) - 1 if op == "depthwise" else 0
        inputs = {"x": x, "w_frozen": f"{name}_w"}
        w = self.rng.integers(-127, 128, w_shape, dtype=np.int8)
        self._constant(f"{name}_w", w, Quant(w_scales, 0, axis))
        if layer.bias:
            b_scales = np.resize(np.float32([s_x * s for s in w_scales]), out)
            b = self.rng.normal(0, 0.5, out) * span / b_scales
            limit = 2**31 - 2**8 - 255 * 128 * terms  # of SPEC 6.5, for shifts up to 0
            b = np.clip(np.rint(b), -limit, limit).astype(np.int32)
            self._constant(f"{name}_b", b, Quant(tuple(b_scales.tolist())))
            inputs["b"] = f"{name}_b"
        self.nodes.append(Node(op, name, inputs, {"y": y}, attrs, name))
        return y

    def _weight_scales(self, count: int, terms: int, layer: Layer) -> tuple[float, ...]:
        """Such that the widest channel's output is as large as its input."""
        logs = self.rng.uniform(-math.log(layer.spread), 0, count)
        scales = np.exp(logs - logs.max()) / (DEVIATION * math.sqrt(terms))
        scales[self.rng.permutation(count)[: layer.dead]] = 1e-9 * scales.max()
        return tuple(float(np.float32(s)) for s in scales)

    # ---- Others ------------------------------------------------------------------------------

    def add(self, a: str, b: str, zero: int = 5, clip: Clip = WHOLE) -> str:
        span = math.hypot(self.spans[a], self.spans[b])
        y = self._activation(self._name("add"), self.tensors[a].shape, zero, span / SPAN, span)
        return self._node("add", {"a": a, "b": b}, y, ClipAttrs(clip))

    def sub(self, a: str, b: str, zero: int = 5, clip: Clip = WHOLE) -> str:
        """a - b."""
        span = math.hypot(self.spans[a], self.spans[b])
        y = self._activation(self._name("sub"), self.tensors[a].shape, zero, span / SPAN, span)
        return self._node("sub", {"a": a, "b": b}, y, ClipAttrs(clip))

    def mul(self, a: str, b: str, zero: int = -11, clip: Clip = WHOLE) -> str:
        """The product of a and b, which may be one row of it."""
        span = 0.5 * self.spans[a] * self.spans[b]
        y = self._activation(self._name("mul"), self.tensors[a].shape, zero, span / SPAN, span)
        return self._node("mul", {"a": a, "b": b}, y, ClipAttrs(clip))

    def prelu(self, x: str, axes: int = 1, zero: int = 6, clip: Clip = WHOLE) -> str:
        """Slopes between -1.1 and 0.9 for each place along the last axes."""
        shape = self.tensors[x].shape
        alpha = self.rng.integers(-128, 128, shape[-axes:], dtype=np.int8)
        name = self.constant(alpha, Quant((float(np.float32(0.008)),), 13), self.spans[x])
        span = self.spans[x]
        y = self._activation(self._name("prelu"), shape, zero, span / SPAN, span)
        return self._node("prelu", {"x": x, "alpha": name}, y, ClipAttrs(clip))

    def minimum(self, a: str, b: str, op: str = "minimum") -> str:
        """The smaller, or by `op` "maximum" the larger, of two maps, b first coded as a is."""
        b = self.coded_as(b, a)
        y = self._like(op, a, self.tensors[a].shape)
        return self._node(op, {"a": a, "b": b}, y, NoAttrs())

    def maximum(self, a: str, b: str) -> str:
        return self.minimum(a, b, "maximum")

    def pool(self, op: str, x: str, window: Window, clip: Clip = WHOLE) -> str:
        shape = (*slid(self.tensors[x].shape, window), self.tensors[x].shape[-1])
        return self._node(op, {"x": x}, self._like(op, x, shape), WindowAttrs(window, clip))

    def mean(self, x: str, axes: tuple[int, ...], zero: int = 2) -> str:
        kept = [n for i, n in enumerate(self.tensors[x].shape) if i not in axes]
        span = self.spans[x] * 0.6
        y = self._activation(self._name("mean"), tuple(kept) or (1,), zero, span / SPAN, span)
        return self._node("mean", {"x": x}, y, MeanAttrs(axes))

    def pad(self, x: str, before: tuple[int, int, int], after: tuple[int, int, int]) -> str:
        sizes = zip(before, self.tensors[x].shape, after, strict=True)
        shape = tuple(sum(size) for size in sizes)
        quant = self.tensors[x].quant
        assert quant is not None
        attrs = PadAttrs(before, after, quant.zero)
        return self._node("pad", {"x": x}, self._like("pad", x, shape), attrs)

    def take(
        self, x: str, shape: tuple[int, ...], rows: Steps, columns: Steps, channels: Steps
    ) -> str:
        """Places of x, as many as `shape` says along each axis."""
        attrs = TakeAttrs(rows, columns, channels)
        return self._node("take", {"x": x}, self._like("take", x, shape), attrs)

    def reshape(self, x: str, shape: tuple[int, ...]) -> str:
        return self._node("reshape", {"x": x}, self._like("reshape", x, shape), NoAttrs())

    def concatenate(self, xs: list[str], axis: int) -> str:
        """All of them coded as the first."""
        xs = [self.coded_as(x, xs[0]) for x in xs]
        shape = list(self.tensors[xs[0]].shape)
        shape[axis] = sum(self.tensors[x].shape[axis] for x in xs)
        y = self._like("concatenate", xs[0], tuple(shape))
        return self._node("concatenate", {f"x{i}": x for i, x in enumerate(xs)}, y, AxisAttrs(axis))

    def transpose(self, x: str, order: tuple[int, ...]) -> str:
        shape = tuple(self.tensors[x].shape[i] for i in order)
        return self._node(
            "transpose", {"x": x}, self._like("transpose", x, shape), TransposeAttrs(order)
        )

    def lookup(self, x: str) -> str:
        """A random table, which stands for no function with a slope."""
        table = self.rng.integers(-128, 128, 256, dtype=np.int8)
        return self.table(x, table, LookupAttrs("random"))

    def table(self, x: str, table: np.ndarray, attrs: LookupAttrs) -> str:
        """Any table, with an output coded like its input."""
        y = self._like("lookup", x, self.tensors[x].shape)
        self._constant(f"{y}_table", table, Quant((1.0,)))
        return self._node("lookup", {"x": x, "table": f"{y}_table"}, y, attrs)

    def coded_as(self, x: str, other: str) -> str:
        """X with the scale and zero point of another map."""
        found, wanted = self.tensors[x].quant, self.tensors[other].quant
        assert found is not None and wanted is not None
        if found == wanted:
            return x
        codings = (Coding(q.scale[0], q.zero) for q in (found, wanted))
        y = self._add(
            replace(self.tensors[x], name=self._name("quantize"), quant=wanted), self.spans[x]
        )
        self._constant(f"{y}_table", requantize(*codings), Quant((1.0,)))
        return self._node("lookup", {"x": x, "table": f"{y}_table"}, y, attrs_of("quantize"))

    def constant(self, data: np.ndarray, quant: Quant, span: float) -> str:
        """A constant in the place of an activation."""
        name = f"constant_{len(self.tensors)}"
        self._constant(name, data, quant)
        self.spans[name] = span
        return name

    def row(self, x: str) -> str:
        """A constant with a number for each channel of x."""
        data = self.rng.integers(-128, 128, self.tensors[x].shape[-1:], dtype=np.int8)
        return self.constant(data, Quant((self._scale(x),), 9), self.spans[x])

    def function(self, x: str, name: str, zero: int = -9) -> str:
        """One of FUNCTIONS; `zero`: of the output, where the function leaves the choice."""
        quant = self.tensors[x].quant
        assert quant is not None
        from_x = Coding(quant.scale[0], quant.zero)
        to_y = FUNCTIONS[name].coding(from_x, zero)
        shape, span = self.tensors[x].shape, to_y.scale * SPAN
        y = self._activation(self._name(name), shape, to_y.zero, to_y.scale, span)
        self._constant(f"{y}_table", FUNCTIONS[name].table(from_x, to_y), Quant((1.0,)))
        return self._node("lookup", {"x": x, "table": f"{y}_table"}, y, attrs_of(name))

    def softmax(self, x: str, beta: float = 1.0) -> str:
        q31 = np.exp(-np.arange(256) * self._scale(x) * beta) * 2**31
        table = np.minimum(np.rint(q31), 2**31 - 1).astype(np.int32)
        shape = self.tensors[x].shape
        y = self._activation(self._name("softmax"), shape, -128, 1 / 256, 0.1)
        self._constant(f"{y}_table", table, Quant((1.0,)))
        return self._node("softmax", {"x": x, "table": f"{y}_table"}, y, SoftmaxAttrs(beta))

    def log_softmax(self, x: str) -> str:
        """Ends a network: it passes no gradient."""
        table = softmax_exponentials(self._scale(x), 1.0)
        y = self._activation(self._name("log_softmax"), self.tensors[x].shape, 127, 1 / 16, 4.0)
        self._constant(f"{y}_table", table, Quant((1.0,)))
        return self._node("log_softmax", {"x": x, "table": f"{y}_table"}, y, NoAttrs())

    def graph(self, output: str, name: str = "net") -> Graph:
        """The finished graph; its output feeds the loss."""
        ports = []
        for tensor in (self.tensors["x"], self.tensors[output]):
            ports.append(Port(tensor.name, "int8", tensor.shape, tensor.quant))
        return Graph(name, self.tensors, tuple(self.nodes), ports[0], ports[1], logits=output)

    # ---- Parts -------------------------------------------------------------------------------

    def _name(self, op: str) -> str:
        return f"{op}_{len(self.nodes)}_y"

    def _node(self, op: str, inputs: dict[str, str], y: str, attrs: Attrs) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(Node(op, name, inputs, {"y": y}, attrs, name))
        return y

    def _scale(self, name: str) -> float:
        quant = self.tensors[name].quant
        assert quant is not None
        return quant.scale[0]

    def _activation(
        self, name: str, shape: tuple[int, ...], zero: int, scale: float, span: float
    ) -> str:
        quant = Quant((float(np.float32(scale)),), zero)
        return self._add(Tensor(name, shape, "int8", "activation", quant), span)

    def _like(self, op: str, x: str, shape: tuple[int, ...]) -> str:
        tensor = replace(self.tensors[x], name=self._name(op), shape=shape)
        return self._add(tensor, self.spans[x])

    def _constant(self, name: str, data: np.ndarray, quant: Quant) -> None:
        dtype = "int8" if data.dtype == np.int8 else "int32"
        self._add(Tensor(name, data.shape, dtype, "constant", quant, data), 0.0)

    def _add(self, tensor: Tensor, span: float) -> str:
        self.tensors[tensor.name] = replace(tensor, source_id=len(self.tensors))
        self.spans[tensor.name] = span
        return tensor.name


def slid(shape: tuple[int, ...], window: Window) -> Pair:
    """Height and width of the output of a window that slides over a map."""
    top, left, bottom, right = window.padding
    sizes = (shape[0] + top + bottom, shape[1] + left + right)
    return tuple(  # type: ignore[return-value]
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(sizes, window.kernel, window.stride, window.dilation, strict=True)
    )


def same(shape: tuple[int, ...], kernel: int | Pair, stride: int = 1) -> Window:
    """TensorFlow's SAME padding: with an odd total, the larger half at the bottom and right."""
    kernel = pair(kernel)
    totals = []
    for size, k in zip(shape[:2], kernel, strict=True):
        out = -(-size // stride)
        totals.append(max(0, (out - 1) * stride + k - size))
    h, w = totals
    return Window(kernel, (stride, stride), (1, 1), (h // 2, w // 2, h - h // 2, w - w // 2))


def sample(graph: Graph, rng: np.random.Generator) -> np.ndarray:
    """A stored input that fills its range."""
    shape = graph.tensors[graph.input.tensor].shape
    return rng.integers(-128, 128, shape, dtype=np.int8)


def same_graph(a: Graph, b: Graph) -> None:
    """Alike but for names and ids of tensors."""
    assert [(n.op, n.attrs) for n in a.nodes] == [(n.op, n.attrs) for n in b.nodes]
    assert (a.input.dtype, a.input.shape, a.input.quant) == (
        b.input.dtype,
        b.input.shape,
        b.input.quant,
    )
    assert (a.output.dtype, a.output.quant) == (b.output.dtype, b.output.quant)
    for x, y in zip(a.nodes, b.nodes, strict=True):
        found, expected = {**x.inputs, **x.outputs}, {**y.inputs, **y.outputs}
        assert found.keys() == expected.keys()
        for role, name in found.items():
            first, second = a.tensors[name], b.tensors[expected[role]]
            assert (first.shape, first.dtype) == (second.shape, second.dtype)
            assert first.quant == second.quant
            assert np.array_equal(first.data, second.data)
