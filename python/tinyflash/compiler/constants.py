"""Fixed-point constants of operators, from the scales of their tensors (SPEC 4.1, 6, 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.factor import factor, multiplier
from tinyflash.graph import Graph, Node, Quant, WindowAttrs
from tinyflash.layers import (
    groups_of,
    largest_scale,
    multiplier_of,
    out_channels,
    source_rows,
    terms,
    weight_scales,
)
from tinyflash.program import ConstArray, Factor

# A channel whose weight scale is below this share of the layer's largest is dead (SPEC 6.6).
DEAD_RATIO = 2.0**-10
# Terms of a sum of int16 x int8 products that int32 holds without rescaling (SPEC 4.1).
EXACT_TERMS = 1032


def quant_of(graph: Graph, tensor: str) -> Quant:
    """The quantization of an activation: one scale, one zero point."""
    quant = graph.tensors[tensor].quant
    if quant is None:
        raise ModelError(f"tensor {tensor}: has no quantization")
    return quant


def scale_of(graph: Graph, tensor: str) -> float:
    return quant_of(graph, tensor).scale[0]


def output_multipliers(graph: Graph, layer: Node) -> tuple[ConstArray, ConstArray]:
    """Q31 multipliers and shifts per output channel of a layer with weights."""
    s_x, s_y = scale_of(graph, layer.inputs["x"]), scale_of(graph, layer.outputs["y"])
    pairs = [multiplier(s_x * s / s_y) for s in weight_scales(graph, layer)]
    return _ints([m for m, _ in pairs]), _ints([s for _, s in pairs])


def largest_shift(graph: Graph, layer: Node) -> int:
    """Of the shifts of output_multipliers, without those of multipliers that are 0."""
    s_x, s_y = scale_of(graph, layer.inputs["x"]), scale_of(graph, layer.outputs["y"])
    q31, shift = multiplier(s_x * max(weight_scales(graph, layer)) / s_y)
    return shift if q31 else -32


def _ints(values: Iterable[int]) -> ConstArray:
    return ConstArray("int32_t", np.array(list(values), np.int64))


def factors(reals: Iterable[float]) -> ConstArray:
    """Returns the factors of some real numbers, as one array."""
    pairs = [factor(real) for real in reals]
    return ConstArray("tiny_factor", np.array([(f.mantissa, f.exponent) for f in pairs], np.int64))


def sums_over_channels(graph: Graph, layer: Node) -> bool:
    """Whether the input gradient adds products of several output channels (SPEC 4.1, 4.2)."""
    return not layer.operator.depthwise or multiplier_of(graph, layer) > 1


def gradient_ratios(graph: Graph, layer: Node) -> ConstArray:
    """R of SPEC 4.1: each weight scale over the largest, Q15."""
    scales = np.array(weight_scales(graph, layer))
    ratios = np.minimum(32767, np.rint(32768 * (scales / largest_scale(graph, layer))))
    return ConstArray("uint16_t", ratios.astype(np.int64))


def ratio_shift(graph: Graph, layer: Node) -> int:
    """Q of SPEC 4.1 and 4.2."""
    count = terms_backward(graph, layer)
    return 0 if count <= EXACT_TERMS else math.ceil(math.log2(count / EXACT_TERMS))


def terms_backward(graph: Graph, layer: Node) -> int:
    """K of SPEC 4.1 and 4.2: bounds the products in a sum of the input gradient."""
    depthwise = layer.operator.depthwise
    count = multiplier_of(graph, layer) if depthwise else out_channels(graph, layer)
    count //= groups_of(layer)
    return count * cover(graph, layer) if isinstance(layer.attrs, WindowAttrs) else count


def cover(graph: Graph, node: Node) -> int:
    """Returns how many pairs of a tap and an output position read one input position (SPEC 4.1).

    node: forward, of an operator with a window.
    """
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    sizes = (graph.tensors[t].shape[-3:-1] for t in (node.inputs["x"], node.outputs["y"]))
    result = 1
    for axis, (x, y) in enumerate(zip(*sizes, strict=True)):
        first = np.arange(y) * window.stride[axis] - window.padding[axis]
        taps = np.arange(window.kernel[axis]) * window.dilation[axis]
        read = (first[:, None] + taps).ravel()
        inside = read[(read >= 0) & (read < x)]
        result *= int(np.bincount(inside, minlength=1).max())
    return max(result, 1)


def gradient_factors(graph: Graph, layer: Node) -> ConstArray:
    """SPEC 4.1, 4.2: one for the layer, or one per channel where no sum goes over channels."""
    scales = weight_scales(graph, layer)
    if not sums_over_channels(graph, layer):
        return factors(scales)
    return factors([largest_scale(graph, layer) * 2.0 ** (ratio_shift(graph, layer) - 7)])


def dead_channels(graph: Graph, layer: Node) -> tuple[bool, ...]:
    """Which output channels are never updated (SPEC 6.6)."""
    limit = DEAD_RATIO * largest_scale(graph, layer)
    return tuple(s < limit for s in weight_scales(graph, layer))


def source_numbers(graph: Graph, layer: Node, role: str) -> ConstArray | None:
    """Returns the channel numbers in the source network, if they differ (SPEC 6.3)."""
    rows = source_rows(graph, layer, role)
    if rows == tuple(range(len(rows))):
        return None
    return ConstArray("uint16_t", np.array(rows, np.int64))


def weight_rates(graph: Graph, layer: Node, multiplier: float = 1.0) -> ConstArray:
    """SPEC 6.2: x scale over weight scale, times the group's multiplier of the learning rate."""
    s_x = scale_of(graph, layer.inputs["x"])
    return _live(graph, layer, lambda s: multiplier * (s_x / s))


def bias_rates(graph: Graph, layer: Node, multiplier: float = 1.0) -> ConstArray:
    """SPEC 6.5: 1 / (x scale * weight scale), times the group's multiplier."""
    s_x = scale_of(graph, layer.inputs["x"])
    return _live(graph, layer, lambda s: multiplier * (1 / (s_x * s)))


def _live(graph: Graph, layer: Node, rate: Callable[[float], float]) -> ConstArray:
    scales, dead = weight_scales(graph, layer), dead_channels(graph, layer)
    return factors(0.0 if d else rate(s) for s, d in zip(scales, dead, strict=True))


def bias_limit(graph: Graph, layer: Node) -> int:
    """SPEC 6.5: no sum of this layer overflows int32 while |bias| is within this limit."""
    return sum_limit(graph, layer) - 255 * 128 * terms(graph, layer)


def sum_limit(graph: Graph, layer: Node) -> int:
    """L of SPEC 6.5: sums up to this magnitude can be rescaled, and take a zero point, in int32."""
    left = largest_shift(graph, layer)
    return 2**31 - 1 if left < 0 else max(0, 2 ** (31 - min(left, 31)) - 2**8)


def mean_constants(graph: Graph, node: Node, count: int) -> tuple[int, int]:
    """SPEC 7: multiplier and shift with the division by `count` folded in."""
    x, y = scale_of(graph, node.inputs["x"]), scale_of(graph, node.outputs["y"])
    q31, shift = multiplier(x / y)
    fold = min(count.bit_length() - 1, 32, 31 + shift)
    return (q31 << fold) // count, shift - fold


def mul_multiplier(graph: Graph, node: Node) -> tuple[int, int]:
    """SPEC 7."""
    a, b = scale_of(graph, node.inputs["a"]), scale_of(graph, node.inputs["b"])
    return multiplier(a * b / scale_of(graph, node.outputs["y"]))


def prelu_multipliers(graph: Graph, node: Node) -> dict[str, tuple[int, int]]:
    """SPEC 7: multiplier and shift of x above its zero point, and of x times its slope below."""
    x, alpha = (scale_of(graph, node.inputs[role]) for role in ("x", "alpha"))
    y = scale_of(graph, node.outputs["y"])
    return {"above": multiplier(x / y), "below": multiplier(x * alpha / y)}


def distances(graph: Graph, node: Node) -> tuple[int, int, int]:
    """SPEC 3.10, 7: multiplier and shift of a log-softmax's distances, and the largest of them."""
    q31, shift = multiplier(min(scale_of(graph, node.inputs["x"]) * 2**26, float(2**31 - 1)))
    return q31, min(shift, 30), math.floor(31 * 2**26 / 2**shift)


def add_constants(graph: Graph, node: Node) -> dict[str, tuple[int, int]]:
    """SPEC 7, add and sub: multiplier and shift of each operand and of the output."""
    a, b = scale_of(graph, node.inputs["a"]), scale_of(graph, node.inputs["b"])
    y = scale_of(graph, node.outputs["y"])
    common = 2 * max(a, b)
    reals = {"a": a / common, "b": b / common, "y": common / (2**20 * y)}
    return {role: multiplier(real) for role, real in reals.items()}


def smoothed(smoothing: float, classes: int) -> tuple[int, int]:
    """SPEC 4.7: on and off."""
    return round(2**15 * (1 - smoothing + smoothing / classes)), round(2**15 * smoothing / classes)


def loss_factor(graph: Graph, node: Node) -> Factor:
    """SPEC 4.8, for a loss with a target."""
    logits = graph.tensors[node.inputs["x"]]
    squared = node.op == "squared_loss"
    real = 2 * scale_of(graph, logits.name) if squared else 2.0**-15
    return factor(real / logits.size)


def loss_exponent_of(graph: Graph, node: Node) -> int:
    return loss_factor(graph, node).exponent


def reciprocal(count: int) -> Factor:
    return factor(1 / count)
