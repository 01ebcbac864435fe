"""SPEC 7, 4.1, 6.2, 6.5 and 6.6: the constants computed from the scales of a graph.

The compiler computes the same constants with separate code; both must agree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tinyflash.graph import Clip, ClipAttrs, DenseAttrs, Graph, Node, Tensor, WindowAttrs
from tinyflash.program import Factor
from tinyflash.reference.arith import Ints, ceil_log2, factor_of, ints
from tinyflash.reference.windows import Sliding

EXACT_TERMS = 1032  # int16 x int8 products of SPEC 4.1 that always fit in int32
DEAD = 2.0**-10  # share of the layer's largest weight scale: SPEC 6.6


@dataclass(frozen=True)
class Requant:
    """Constants that turn int32 sums into the stored output (SPEC 2.2); arrays are [out]."""

    multiplier: Ints
    shift: Ints
    x_zero: int
    y_zero: int
    clip: Clip


@dataclass(frozen=True)
class Factors:
    """Factors of SPEC 1.4, [n] each."""

    mantissa: Ints
    exponent: Ints

    @classmethod
    def of(cls, reals: Iterable[float]) -> Factors:
        factors = [factor_of(real) for real in reals]
        return cls(ints([f.mantissa for f in factors]), ints([f.exponent for f in factors]))

    def first(self, count: int) -> Factors:
        return Factors(self.mantissa[:count], self.exponent[:count])


@dataclass(frozen=True)
class Descent:
    """The constants of a weighted layer's backward pass (SPEC 4.1, 4.2, 6)."""

    ratio: Ints  # [out]
    ratio_shift: int  # q of SPEC 4.1
    groups: int
    multiplier: int  # of depthwise layers, otherwise 1
    factor: Factors  # [1], depthwise of multiplier 1: [channels]
    w_rate: Factors  # [out]
    b_rate: Factors  # [out]
    b_limit: int


@dataclass(frozen=True)
class AddConstants:
    """SPEC 3.1; pairs are (multiplier, shift)."""

    a: tuple[int, int]
    b: tuple[int, int]
    y: tuple[int, int]
    a_zero: int
    b_zero: int
    y_zero: int


@dataclass(frozen=True)
class MulConstants:
    """SPEC 3.5, 4.6."""

    multiplier: int
    shift: int
    a_zero: int
    b_zero: int
    y_zero: int
    a_scale: Factor
    b_scale: Factor


@dataclass(frozen=True)
class PreluConstants:
    """SPEC 3.9, 4.6; pairs are (multiplier, shift)."""

    above: tuple[int, int]
    below: tuple[int, int]
    x_zero: int
    alpha_zero: int
    y_zero: int
    alpha_scale: Factor


@dataclass(frozen=True)
class LogSoftmaxConstants:
    """SPEC 3.10."""

    multiplier: int
    shift: int
    reach: int


@dataclass(frozen=True)
class MeanConstants:
    """SPEC 3.3."""

    multiplier: int
    shift: int
    x_zero: int
    y_zero: int


def multiplier_of(real: float) -> tuple[int, int]:
    """SPEC 7: Q31 multiplier and shift of a positive number."""
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def scale_of(tensor: Tensor) -> float:
    """Returns the single scale of an activation."""
    assert tensor.quant is not None, tensor.name
    (scale,) = tensor.quant.scale
    return scale


def zero_of(tensor: Tensor) -> int:
    assert tensor.quant is not None, tensor.name
    return tensor.quant.zero


def clip_of(node: Node) -> Clip:
    """Returns the bounds of a node's output."""
    assert isinstance(node.attrs, WindowAttrs | DenseAttrs | ClipAttrs), node.op
    return node.attrs.clip


def weight_scales(graph: Graph, layer: Node) -> list[float]:
    """Returns one scale per output channel of a layer's forward node."""
    parts = [graph.tensors[layer.inputs[r]] for r in ("w", "w_frozen") if r in layer.inputs]
    out = graph.tensors[layer.outputs["y"]].shape[-1]
    if layer.op != "depthwise":
        return _spread(parts[0], out)
    return [s for part in parts for s in _spread(part, part.shape[-1])]


def _spread(tensor: Tensor, count: int) -> list[float]:
    assert tensor.quant is not None, tensor.name
    scales = tensor.quant.scale
    return list(scales) if len(scales) == count else list(scales) * count


def requant(graph: Graph, layer: Node) -> Requant:
    """SPEC 7 for conv2d, depthwise and fully_connected."""
    x, y = graph.tensors[layer.inputs["x"]], graph.tensors[layer.outputs["y"]]
    s_x, s_y = scale_of(x), scale_of(y)
    pairs = [multiplier_of(s_x * s_w / s_y) for s_w in weight_scales(graph, layer)]
    multiplier, shift = ints(pairs).T
    return Requant(multiplier, shift, zero_of(x), zero_of(y), clip_of(layer))


def descent(graph: Graph, layer: Node) -> Descent:
    """SPEC 4.1, 4.2, 6.2, 6.5 and 6.6 for a layer's forward node."""
    of_w, of_b = (_multiplier(graph, layer, op) for op in (f"{layer.op}_update", "bias_update"))
    s_x = scale_of(graph.tensors[layer.inputs["x"]])
    scales = weight_scales(graph, layer)
    largest = max([*scales, *_largest_of_source(graph, layer)])
    groups = layer.attrs.groups if isinstance(layer.attrs, WindowAttrs) else 1
    channels = graph.tensors[layer.inputs["x"]].shape[-1]
    multiplier = len(scales) // channels if layer.op == "depthwise" else 1
    summed = multiplier if layer.op == "depthwise" else len(scales) // groups
    q = ceil_log2(_terms_backward(graph, layer, summed), EXACT_TERMS)
    alive = [s if s >= DEAD * largest else 0.0 for s in scales]
    by_channel = layer.op == "depthwise" and multiplier == 1
    return Descent(
        ratio=ints([min(32767, round(2**15 * s / largest)) for s in scales]),
        ratio_shift=q,
        groups=groups,
        multiplier=multiplier,
        factor=Factors.of(scales if by_channel else [largest * 2.0 ** (q - 7)]),
        w_rate=Factors.of(of_w * (s_x / s) if s else 0.0 for s in alive),
        b_rate=Factors.of(of_b * (1 / (s_x * s)) if s else 0.0 for s in alive),
        b_limit=_largest_sum(graph, layer) - 255 * 128 * terms_forward(graph, layer),
    )


def _largest_sum(graph: Graph, layer: Node) -> int:
    """L of SPEC 6.5."""
    found = requant(graph, layer)
    pairs = zip(found.multiplier, found.shift, strict=True)
    shift = max((int(s) for m, s in pairs if m), default=-1)
    return 2**31 - 1 if shift < 0 else max(0, 2 ** (31 - shift) - 2**8)


def _largest_of_source(graph: Graph, layer: Node) -> list[float]:
    """Returns the largest scale before channels were removed."""
    parts = [graph.tensors[layer.inputs[r]] for r in ("w", "w_frozen") if r in layer.inputs]
    return [part.taken.largest for part in parts if part.taken is not None]


def _multiplier(graph: Graph, layer: Node, op: str) -> float:
    """Rho of SPEC 6.2 for a layer's update by this operator."""
    updates = (n for n in graph.nodes if n.layer == layer.name and n.op == op)
    return next((n.descent.rate for n in updates), 1.0)


def cover(sliding: Sliding) -> int:
    """Returns how many pairs of a tap and an output position read one element (SPEC 4.1, 4.6)."""
    return math.prod(_cover_along(sliding, axis) for axis in (0, 1))


def _cover_along(sliding: Sliding, axis: int) -> int:
    w = sliding.window
    reads = Counter(
        o * w.stride[axis] - w.padding[axis] + k * w.dilation[axis]
        for o in range(sliding.y[axis])
        for k in range(w.kernel[axis])
    )
    return max([1, *(reads[i] for i in range(sliding.x[axis]))])


def _terms_backward(graph: Graph, layer: Node, out: int) -> int:
    """K of SPEC 4.1 and 4.2. out: the output channels that read one input channel."""
    if not isinstance(layer.attrs, WindowAttrs):
        return out
    (x_h, x_w), (y_h, y_w) = (
        graph.tensors[t].shape[-3:-1] for t in (layer.inputs["x"], layer.outputs["y"])
    )
    return out * cover(Sliding(layer.attrs.window, (x_h, x_w), (y_h, y_w)))


def terms_forward(graph: Graph, layer: Node) -> int:
    """Returns the number of products in one sum of SPEC 2.1."""
    channels = 0
    for role in ("w", "w_frozen"):
        if role in layer.inputs:
            channels += graph.tensors[layer.inputs[role]].shape[-1]
    if layer.op == "depthwise":
        channels = 1
    if isinstance(layer.attrs, WindowAttrs):
        return channels * math.prod(layer.attrs.window.kernel)
    return channels


def add_constants(graph: Graph, node: Node) -> AddConstants:
    """SPEC 7 for add and sub."""
    a, b = (graph.tensors[node.inputs[role]] for role in ("a", "b"))
    y = graph.tensors[node.outputs["y"]]
    twice = 2 * max(scale_of(a), scale_of(b))
    return AddConstants(
        a=multiplier_of(scale_of(a) / twice),
        b=multiplier_of(scale_of(b) / twice),
        y=multiplier_of(twice / (2**20 * scale_of(y))),
        a_zero=zero_of(a),
        b_zero=zero_of(b),
        y_zero=zero_of(y),
    )


def mul_constants(graph: Graph, node: Node) -> MulConstants:
    """SPEC 7 for mul."""
    a, b = (graph.tensors[node.inputs[role]] for role in ("a", "b"))
    y = graph.tensors[node.outputs["y"]]
    multiplier, shift = multiplier_of(scale_of(a) * scale_of(b) / scale_of(y))
    zeros = zero_of(a), zero_of(b), zero_of(y)
    return MulConstants(multiplier, shift, *zeros, factor_of(scale_of(a)), factor_of(scale_of(b)))


def prelu_constants(graph: Graph, node: Node) -> PreluConstants:
    """SPEC 7 for PReLU."""
    x, alpha = (graph.tensors[node.inputs[role]] for role in ("x", "alpha"))
    y = graph.tensors[node.outputs["y"]]
    return PreluConstants(
        above=multiplier_of(scale_of(x) / scale_of(y)),
        below=multiplier_of(scale_of(x) * scale_of(alpha) / scale_of(y)),
        x_zero=zero_of(x),
        alpha_zero=zero_of(alpha),
        y_zero=zero_of(y),
        alpha_scale=factor_of(scale_of(alpha)),
    )


def log_softmax_constants(x: Tensor) -> LogSoftmaxConstants:
    """SPEC 7, E."""
    multiplier, shift = multiplier_of(min(scale_of(x) * 2**26, 2**31 - 1))
    reach = math.floor(31 * 2**26 / 2**shift)
    return LogSoftmaxConstants(multiplier, min(shift, 30), reach)


def mean_constants(x: Tensor, y: Tensor, count: int) -> MeanConstants:
    """SPEC 7 for mean."""
    multiplier, shift = multiplier_of(scale_of(x) / scale_of(y))
    k = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanConstants((multiplier << k) // count, shift - k, zero_of(x), zero_of(y))


def reciprocal(count: int) -> Factor:
    """SPEC 4.6: 1 / count, for the gradient of a mean."""
    return factor_of(1 / count)


def smoothed(smoothing: float, classes: int) -> tuple[int, int]:
    """SPEC 4.7: on and off, Q15."""
    share = smoothing / classes
    return round(2**15 * (1 - smoothing + share)), round(2**15 * share)


def squared_factor(logits: Tensor) -> Factor:
    """SPEC 4.8, of the mean squared error."""
    return factor_of(2 * scale_of(logits) / logits.size)


def sigmoid_factor(logits: Tensor) -> Factor:
    """SPEC 4.8, of the binary cross-entropy."""
    return factor_of(2.0**-15 / logits.size)


def sigmoid_table(logits: Tensor) -> Ints:
    """Q of SPEC 4.8 and 7, by the byte of x."""
    s, zero = scale_of(logits), zero_of(logits)
    stored = [byte - 256 if byte > 127 else byte for byte in range(256)]
    exponents = [min(-s * (x - zero), 700.0) for x in stored]  # above, exp overflows: Q is 0
    return ints([round(2**15 / (1 + math.exp(e))) for e in exponents])


def loss_table(logits: Tensor) -> Ints:
    """E of SPEC 4.7, Q15, by distance below the largest logit."""
    s = scale_of(logits)
    return ints([round(2**15 * math.exp(-d * s)) for d in range(256)])
