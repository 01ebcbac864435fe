"""Rules for pools, mean, padding, and operators that only move bytes."""

from __future__ import annotations

import math

import numpy as np

from tinyflash.graph import AxisAttrs, MeanAttrs, PadAttrs, TransposeAttrs, WindowAttrs
from tinyflash.quantize.windows import output_size
from tinyflash.read.maxima import maxima
from tinyflash.read.tflite.importing import Layer, Shape
from tinyflash.read.tflite.windows import fused_clip, window


def average_pool(layer: Layer) -> None:
    _pool(layer, "average_pool")


def max_pool(layer: Layer) -> None:
    _pool(layer, "max_pool")


def _pool(layer: Layer, op: str) -> None:
    layer.count(1)
    x = layer.activation(0)
    height, width, channels = layer.map_shape(layer.flat_input(0))
    kernel = int(layer.option("FilterHeight")), int(layer.option("FilterWidth"))
    sliding = window(layer, kernel, (height, width))
    layer.require(
        layer.map_shape(layer.flat_output) == (*output_size(sliding, (height, width)), channels),
        f"output shape {list(layer.flat_output.shape)} does not follow from the input's",
    )
    a, b = layer.quant(layer.flat_input(0)), layer.quant(layer.flat_output)
    layer.require(
        abs(a.scale[0] - b.scale[0]) <= 1e-6 and a.zero == b.zero,
        "input and output have different scales; a pool needs equal ones",
    )
    layer.emit(op, {"x": x}, WindowAttrs(sliding, fused_clip(layer)))


def mean(layer: Layer) -> None:
    """Mean over adjacent axes (dimensions of 1 between them do not count)."""
    layer.emit("mean", {"x": layer.activation(0)}, MeanAttrs(tuple(span_of(layer))))


def reduce_max(layer: Layer) -> None:
    """The largest along adjacent axes, by max pools."""
    span, x = span_of(layer), layer.activation(0)
    layer.require(
        layer.quant(layer.flat_input(0)) == layer.quant(layer.flat_output),
        "input and output have different scales; equal ones are supported",
    )
    for i, (before, sliding, after) in enumerate(maxima(x.shape, span[0], span[-1])):
        if x.shape != before:
            x = layer.between(f"x{i}", "reshape", x, before)
        x = layer.between(f"y{i}", "max_pool", x, after, WindowAttrs(sliding))
    layer.emit("reshape", {"x": x})


def span_of(layer: Layer) -> range:
    """Returns the axes from the first to the last that a reduction works along."""
    layer.count(2)
    shape = layer.shape(layer.flat_input(0))
    axes = {axis(layer, a, len(shape)) for a in layer.numbers(1)}
    real = sorted(a for a in axes if shape[a] > 1)
    kept = tuple(d for i, d in enumerate(shape) if i not in axes and d > 1)
    found = tuple(d for d in layer.shape(layer.flat_output) if d > 1)
    layer.require(kept == found, f"output shape {list(layer.flat_output.shape)} does not follow")
    real = real or sorted(axes)[:1]
    layer.require(bool(real), "reduces nothing")
    span = range(real[0], real[-1] + 1)
    layer.require(
        all(a in axes or shape[a] == 1 for a in span),
        f"reduces dimensions {real} of {list(shape)}; adjacent ones are supported",
    )
    return span


def axis(layer: Layer, index: int, rank: int) -> int:
    """Returns an axis counted from 0."""
    layer.require(-rank <= index < rank, f"axis {index} of a tensor of {rank} dimensions")
    return index % rank


def pad(layer: Layer) -> None:
    """Pads height, width, channels with zero, or with a constant."""
    layer.count(2, 3)
    x = layer.activation(0)
    shape, amounts = layer.shape(layer.flat_input(0)), layer.constant(1)
    layer.require(
        amounts.shape == (len(shape), 2) and bool((amounts.astype(np.int64) >= 0).all()),
        f"paddings of shape {list(amounts.shape)} for {len(shape)} dimensions",
    )
    pairs = [(int(a), int(b)) for a, b in amounts.tolist()]
    expected = tuple(d + a + b for d, (a, b) in zip(shape, pairs, strict=True))
    layer.require(layer.shape(layer.flat_output) == expected, f"output shape is not {expected}")
    layer.require(len(shape) in (3, 4), f"pads {len(shape)} dimensions; 3 or 4 are supported")
    layer.require(len(shape) == 3 or pairs[0] == (0, 0), "pads the batch")
    layer.require(max(expected) < 2**16, f"makes shape {list(expected)}, a side beyond 65535")
    (top, bottom), (left, right), (front, back) = pairs[-3:]
    value = _pad_value(layer)
    layer.emit("pad", {"x": x}, PadAttrs((top, left, front), (bottom, right, back), value))


def _pad_value(layer: Layer) -> int:
    zero = layer.quant(layer.flat_output)
    if not layer.has_input(2):
        return zero.zero
    flat = layer.flat_input(2)
    layer.typed(flat, ("INT8",))
    layer.require(
        layer.quant(flat) == zero, "the padding value and the output have different scales"
    )
    value = layer.constant(2)
    layer.require(value.size == 1, "the padding value is not one number")
    return int(value.ravel()[0])


def reshape(layer: Layer) -> None:
    """Any change of shape that moves no bytes."""
    x = layer.activation(0)
    shape = layer.shape(layer.flat_output)
    layer.require(
        math.prod(shape) == x.size,
        f"makes shape {list(shape)} of {x.size} elements",
    )
    layer.emit("reshape", {"x": x})


def concatenate(layer: Layer) -> None:
    """Joins inputs along one axis. All must have the same scale; some may be constants."""
    layer.require(layer.option("FusedActivationFunction", 0) == 0, "has a fused activation")
    y = layer.flat_output
    shape = layer.shape(y)
    joined = axis(layer, int(layer.option("Axis")), len(shape))
    parts = range(len(layer.operator.inputs))
    for i in parts:
        layer.require(
            layer.quant(layer.flat_input(i)) == layer.quant(y),
            f"input {i} and the output have different scales, so they cannot be joined",
        )
    _check_joined(layer, [layer.shape(layer.flat_input(i)) for i in parts], shape, joined)
    layer.require(not all(layer.is_constant(i) for i in parts), "has no input computed at run time")
    inputs = {
        f"x{i}": layer.constant_operand(i) if layer.is_constant(i) else layer.activation(i)
        for i in parts
    }
    layer.emit("concatenate", inputs, AxisAttrs(joined))


def _check_joined(layer: Layer, parts: list[Shape], shape: Shape, joined: int) -> None:
    def others(s: Shape) -> Shape:
        return (*s[:joined], *s[joined + 1 :])

    layer.require(
        all(len(p) == len(shape) and others(p) == others(shape) for p in parts)
        and sum(p[joined] for p in parts) == shape[joined],
        f"shapes {[list(p) for p in parts]} do not join to {list(shape)}",
    )


def transpose(layer: Layer) -> None:
    """A permutation of up to four dimensions."""
    layer.count(2)
    x = layer.activation(0)
    shape = layer.shape(layer.flat_input(0))
    order = layer.numbers(1)
    layer.require(sorted(order) == list(range(len(shape))), f"order {order} is not a permutation")
    expected = tuple(shape[a] for a in order)
    layer.require(layer.shape(layer.flat_output) == expected, f"output shape is not {expected}")
    moved = [a for a in order if shape[a] > 1]
    if moved == sorted(moved):
        layer.emit("reshape", {"x": x})
        return
    counted = len(order) - (shape[0] == 1 and order[0] == 0)
    layer.require(counted <= 4, f"moves {len(order)} dimensions; 4 are supported")
    layer.emit("transpose", {"x": x}, TransposeAttrs(tuple(order)))
