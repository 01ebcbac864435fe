"""Rules for the operators of float .tflite files that pool, pad, join or move maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyflash.graph import AxisAttrs, MeanAttrs, TransposeAttrs
from tinyflash.quantize.floatgraph.graph import Filling
from tinyflash.quantize.windows import output_size
from tinyflash.read.tflite.floating.importing import FloatLayer
from tinyflash.read.tflite.floating.rules import line
from tinyflash.read.tflite.maps import axis
from tinyflash.read.tflite.windows import window


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
    layer.give(layer.node("scale", [y], shape, weights=line(np.array(count), np.zeros(()))))


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
