"""Rules for the operators of float .tflite files."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyflash.graph import AxisAttrs, MeanAttrs, TransposeAttrs
from tinyflash.quantize.floatgraph.graph import (
    Bounds,
    Factor,
    Filling,
    FloatAttrs,
    Weights,
)
from tinyflash.quantize.windows import output_size
from tinyflash.read.tflite.floating.importing import FloatLayer
from tinyflash.read.tflite.floating.takes import expanded
from tinyflash.read.tflite.maps import axis
from tinyflash.read.tflite.windows import window

Reals = npt.NDArray[np.floating]


# ---- Layers with weights ------------------------------------------------------------------------


def conv2d(layer: FloatLayer) -> None:
    """Convolution; in groups if the weights have fewer channels than the input."""
    x, (w, scales, place) = layer.tensor(0), layer.reals(1)
    layer.require(w.ndim == 4, f"weights of shape {list(w.shape)}, expected 4 dimensions")
    out, kernel_h, kernel_w, depth = w.shape
    height, width, channels = layer.map_shape(layer.flat_input(0))
    layer.require(
        depth > 0 and channels % depth == 0 and out % (channels // depth) == 0,
        f"weights {list(w.shape)} do not fit {channels} input channels in equal groups",
    )
    sliding = window(layer, (kernel_h, kernel_w), (height, width))
    size = (1, *output_size(sliding, (height, width)), out)
    weights = Weights(w, _bias(layer, out), scales if place == 0 else ())
    layer.give(layer.node("conv2d", [x], size, sliding, weights, layer.bounds()))


def depthwise(layer: FloatLayer) -> None:
    x, (w, scales, place) = layer.tensor(0), layer.reals(1)
    height, width, channels = layer.map_shape(layer.flat_input(0))
    layer.require(
        w.ndim == 4 and w.shape[0] == 1 and w.shape[3] % channels == 0,
        f"weights {list(w.shape)} do not fit {channels} input channels",
    )
    _, kernel_h, kernel_w, out = w.shape
    sliding = window(layer, (kernel_h, kernel_w), (height, width))
    size = (1, *output_size(sliding, (height, width)), out)
    weights = Weights(w[0], _bias(layer, out), scales if len(scales) < 2 or place == 3 else ())
    layer.give(layer.node("depthwise", [x], size, sliding, weights, layer.bounds()))


def fully_connected(layer: FloatLayer) -> None:
    """Fully connected; any leading dimensions are rows."""
    x, (w, scales, place) = layer.tensor(0), layer.reals(1)
    layer.require(not layer.option("WeightsFormat", 0), "shuffled weights are not supported")
    layer.require(w.ndim == 2, f"weights of shape {list(w.shape)}, expected 2 dimensions")
    (out, depth), elements = w.shape, math.prod(layer.to.shapes[x])
    layer.require(elements % depth == 0, f"input of {elements} elements, weights for {depth}")
    rows = elements // depth
    flat = (1, depth) if rows == 1 else (1, rows, depth)
    if layer.to.shapes[x] != flat:
        x = layer.node("reshape", [x], flat)
    weights = Weights(w, _bias(layer, out), scales if place == 0 else ())
    layer.give(
        layer.node(
            "fully_connected", [x], (*flat[:-1], out), weights=weights, bounds=layer.bounds()
        )
    )


def _bias(layer: FloatLayer, out: int) -> npt.NDArray[np.float32]:
    if not layer.has_input(2):
        return np.zeros(out, np.float32)
    b, _, _ = layer.reals(2)
    layer.require(b.shape == (out,), f"bias of shape {list(b.shape)} for {out} channels")
    return b


# ---- Functions of one input ---------------------------------------------------------------------


def bounded(*bounds: float) -> Callable[[FloatLayer], None]:
    def rule(layer: FloatLayer) -> None:
        _each(layer, "identity", bounds=(bounds[0], bounds[1]))

    return rule


def function(op: str) -> Callable[[FloatLayer], None]:
    return lambda layer: _each(layer, op)


def _each(
    layer: FloatLayer, op: str, attrs: FloatAttrs | None = None, bounds: Bounds | None = None
) -> None:
    x = layer.tensor(0)
    shape = layer.to.shapes[x]
    layer.give(
        layer.node(op, [x], shape, attrs or Factor(), bounds=bounds or (-math.inf, math.inf))
    )


def leaky_relu(layer: FloatLayer) -> None:
    _leaky(layer, float(layer.option("Alpha")))


def prelu(layer: FloatLayer) -> None:
    """As in ONNX: one slope for all is a table, unless it is negative; else one per channel."""
    slopes, _, _ = layer.reals(1)
    layer.require(slopes.size > 0, "has no slopes")
    first = float(slopes.ravel()[0])
    if first >= 0 and bool((slopes == first).all()):
        _leaky(layer, first)
        return
    x = layer.tensor(0)
    shape = layer.to.shapes[x]
    _require_row(layer, slopes, shape)
    row = np.broadcast_to(slopes.reshape(-1), shape[-1:]).astype(np.float32)
    layer.give(layer.node("prelu", [x], shape, weights=Weights(row, np.zeros_like(row))))


def _leaky(layer: FloatLayer, alpha: float) -> None:
    layer.require(alpha >= 0, f"slope {alpha:.3g}; 0 or more is supported")
    _each(layer, "leaky_relu", Factor(alpha))


def elu(layer: FloatLayer) -> None:
    _each(layer, "elu", Factor(1.0))


def gelu(layer: FloatLayer) -> None:
    _each(layer, "gelu_tanh" if layer.option("Approximate", False) else "gelu")


def softmax(layer: FloatLayer) -> None:
    classes = layer.to.shapes[layer.tensor(0)][-1]
    layer.require(classes < 512, f"has {classes} classes; 511 are supported")
    _each(layer, "softmax", Factor(float(layer.option("Beta"))))


def log_softmax(layer: FloatLayer) -> None:
    classes = layer.to.shapes[layer.tensor(0)][-1]
    layer.require(classes < 4096, f"has {classes} classes; 4095 are supported")
    _each(layer, "log_softmax")


def negate(layer: FloatLayer) -> None:
    _scale(layer, 0, np.array(-1.0), np.zeros(()))


# ---- Functions of two inputs --------------------------------------------------------------------


def add(layer: FloatLayer) -> None:
    _sum(layer, 1.0, 1.0)


def sub(layer: FloatLayer) -> None:
    _sum(layer, 1.0, -1.0)


def _sum(layer: FloatLayer, first: float, second: float) -> None:
    layer.count(2)
    for position, factor, other in ((0, first, second), (1, second, first)):
        if not layer.is_run(1 - position):
            term, _, _ = layer.reals(1 - position)
            _scale(layer, position, np.array(factor), other * term, layer.bounds())
            return
    a, b = expanded(layer, 0), expanded(layer, 1)
    shape = layer.to.shapes[a]
    if second < 0:
        b = layer.node("scale", [b], shape, weights=_line(np.array(-1.0), np.zeros(())))
    layer.give(layer.node("add", [a, b], shape, bounds=layer.bounds()))


def mul(layer: FloatLayer) -> None:
    """The product of a map and constants, or of two maps; one may be a row for all of the other's
    rows, or broadcast."""
    layer.count(2)
    for position in (0, 1):
        if not layer.is_run(1 - position):
            factor, _, _ = layer.reals(1 - position)
            _scale(layer, position, factor, np.zeros(()), layer.bounds())
            return
    pair = [layer.tensor(0), layer.tensor(1)]
    pair.sort(key=lambda name: -math.prod(layer.to.shapes[name]))
    whole, part = (layer.to.shapes[name] for name in pair)
    row = part
    while row[:1] == (1,):
        row = row[1:]
    if row != whole[len(whole) - len(row) :]:
        pair = [expanded(layer, 0), expanded(layer, 1)]
        whole = layer.to.shapes[pair[0]]
    layer.give(layer.node("mul", pair, whole, bounds=layer.bounds()))


def div(layer: FloatLayer) -> None:
    """Division by a constant."""
    layer.count(2)
    divisor, _, _ = layer.reals(1)
    layer.require(bool((divisor != 0).all()), "divides by zero")
    _scale(layer, 0, 1 / divisor.astype(np.float64), np.zeros(()), layer.bounds())


def choose(op: str) -> Callable[[FloatLayer], None]:
    """The smaller or the larger of two maps, or of a map and a number, which is a bound."""

    def rule(layer: FloatLayer) -> None:
        layer.count(2)
        for position in (0, 1):
            if not layer.is_run(1 - position):
                number, _, _ = layer.reals(1 - position)
                layer.require(number.size == 1, "has more constants than one number")
                end = float(number.ravel()[0])
                bounds = (end, math.inf) if op == "maximum" else (-math.inf, end)
                layer.require(bounds[0] <= 0 <= bounds[1], "bounds to a range without 0")
                x = layer.tensor(position)
                layer.give(layer.node("identity", [x], layer.to.shapes[x], bounds=bounds))
                return
        a, b = expanded(layer, 0), expanded(layer, 1)
        layer.give(layer.node(op, [a, b], layer.to.shapes[a]))

    return rule


def _scale(
    layer: FloatLayer,
    position: int,
    factor: Reals,
    term: Reals,
    bounds: Bounds = (-math.inf, math.inf),
) -> None:
    layer.give(_scaled(layer, layer.tensor(position), factor, term, bounds))


def _scaled(
    layer: FloatLayer,
    x: str,
    factor: Reals,
    term: Reals,
    bounds: Bounds = (-math.inf, math.inf),
) -> str:
    """Returns factor * x + term: numbers, or one for each channel."""
    shape = layer.to.shapes[x]
    for row in (factor, term):
        _require_row(layer, row, shape)
    return layer.node("scale", [x], shape, weights=_line(factor, term), bounds=bounds)


def _require_row(layer: FloatLayer, row: Reals, shape: tuple[int, ...]) -> None:
    layer.require(
        row.size == 1 or (row.size == row.shape[-1] == shape[-1] and row.ndim <= len(shape)),
        f"constant of shape {list(row.shape)} with {list(shape)}; only one number, or one per "
        "channel, is supported",
    )


def _line(factor: Reals, term: Reals) -> Weights:
    w, b = np.broadcast_arrays(factor.reshape(-1), term.reshape(-1))
    return Weights(w.astype(np.float32), b.astype(np.float32))


# ---- Maps ---------------------------------------------------------------------------------------


def pool(op: str) -> Callable[[FloatLayer], None]:
    def rule(layer: FloatLayer) -> None:
        x = layer.tensor(0)
        height, width, channels = layer.map_shape(layer.flat_input(0))
        kernel = int(layer.option("FilterHeight")), int(layer.option("FilterWidth"))
        sliding = window(layer, kernel, (height, width))
        size = (1, *output_size(sliding, (height, width)), channels)
        layer.give(layer.node(op, [x], size, sliding, bounds=layer.bounds()))

    return rule


def mean(layer: FloatLayer) -> None:
    layer.give(_mean(layer))


def total(layer: FloatLayer) -> None:
    """The mean times the number of elements."""
    y = _mean(layer)
    shape = layer.to.shapes[y]
    count = math.prod(layer.to.shapes[layer.tensor(0)]) / math.prod(shape)
    layer.give(layer.node("scale", [y], shape, weights=_line(np.array(count), np.zeros(()))))


def _mean(layer: FloatLayer) -> str:
    """Over adjacent axes (dimensions of 1 between them do not count)."""
    layer.count(2)
    x, flat = layer.tensor(0), layer.flat_input(0)
    rank, lead = len(layer.shape(flat)), layer.lead(flat)
    shape = layer.to.shapes[x]
    axes = {axis(layer, a, rank) + lead for a in layer.numbers(1)}
    real = sorted(a for a in axes if shape[a] > 1)
    if not real:
        return x
    span = range(real[0], real[-1] + 1)
    layer.require(
        all(a in axes or shape[a] == 1 for a in span),
        f"averages over dimensions {real} of {list(shape)}; adjacent ones are supported",
    )
    kept = (*shape[: span[0]], *shape[span[-1] + 1 :])
    return layer.node("mean", [x], kept, MeanAttrs(tuple(span)))


def pad(layer: FloatLayer) -> None:
    """Pads height, width, channels with zero, or with a constant."""
    layer.count(2, 3)
    x, flat = layer.tensor(0), layer.flat_input(0)
    amounts = layer.constant(1, ("INT32", "INT64")).astype(np.int64)
    shape, lead = layer.to.shapes[x], layer.lead(flat)
    layer.require(
        amounts.shape == (len(layer.shape(flat)), 2) and bool((amounts >= 0).all()),
        f"paddings of shape {list(amounts.shape)} for {len(flat.shape)} dimensions",
    )
    pairs = [(0, 0)] * lead + [(int(a), int(b)) for a, b in amounts]
    layer.require(len(shape) in (3, 4), f"pads {len(shape)} dimensions; 3 or 4 are supported")
    layer.require(len(shape) == 3 or pairs[0] == (0, 0), "pads the batch")
    (top, bottom), (left, right), (front, back) = pairs[-3:]
    padded = tuple(n + a + b for n, (a, b) in zip(shape, pairs, strict=True))
    layer.require(max(padded) < 2**16, f"makes shape {list(padded)}, a side beyond 65535")
    value = layer.reals(2)[0] if layer.has_input(2) else np.zeros(1)
    layer.require(value.size == 1, "the padding value is not one number")
    filling = Filling((top, left, front), (bottom, right, back), float(value.ravel()[0]))
    layer.give(layer.node("pad", [x], padded, filling))


def reshape(layer: FloatLayer) -> None:
    layer.give(layer.tensor(0))


def concatenate(layer: FloatLayer) -> None:
    layer.require(layer.option("FusedActivationFunction", 0) == 0, "has a fused activation")
    parts = [layer.tensor(i) for i in range(len(layer.operator.inputs))]
    flat = layer.flat_output
    place = axis(layer, int(layer.option("Axis")), len(layer.shape(flat))) + layer.lead(flat)
    shapes = [layer.to.shapes[part] for part in parts]
    others = {(*s[:place], *s[place + 1 :]) for s in shapes}
    layer.require(place > 0, "works along the batch, which is not supported")
    layer.require(
        len(others) == 1 and all(place < len(s) == len(shapes[0]) for s in shapes),
        f"shapes {[list(s) for s in shapes]} do not join along axis {place}",
    )
    joined = list(shapes[0])
    joined[place] = sum(s[place] for s in shapes)
    layer.give(layer.node("concatenate", parts, tuple(joined), AxisAttrs(place)))


def transpose(layer: FloatLayer) -> None:
    layer.count(2)
    x, flat = layer.tensor(0), layer.flat_input(0)
    shape, lead, order = layer.to.shapes[x], layer.lead(flat), layer.numbers(1)
    rank = len(layer.shape(flat))
    layer.require(sorted(order) == list(range(rank)), f"order {order} is not a permutation")
    places = (*range(lead), *(a + lead for a in order))
    moved = [a for a in places if shape[a] > 1]
    if moved == sorted(moved):
        layer.give(x)
        return
    layer.require(places[0] == 0 and len(places) <= 4, f"moves dimensions by {order}")
    to = tuple(shape[a] for a in places)
    layer.give(layer.node("transpose", [x], to, TransposeAttrs(places)))
