"""Rules for already quantized models: QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Array, Quant
from tinyflash.quantize.floatgraph.graph import UNBOUNDED, Floats
from tinyflash.quantize.weights import SILENT_SCALE
from tinyflash.read.onnx.importing import Constant, Layer
from tinyflash.read.onnx.views import View

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BYTES = ("int8", "uint8")
_MOVES = ("concatenate", "max_pool", "maximum", "minimum", "reshape", "transpose")
_OUTPUT = {0: "uint8", 2: "uint8", 3: "int8"}  # by the numbers of ONNX; 0: not said


def quantize(layer: Layer) -> None:
    """Values computed at run time get this scale; constants become the integers that it makes."""
    value, kind = layer.value(0), _stored(layer)
    if isinstance(value, Constant):
        layer.give(Constant(_rounded(layer, layer.floats(0), kind)))
        return
    quant = _quant(layer, kind)
    coded = _coded(layer, value, quant)
    layer.to.stored[coded.tensor] = kind
    layer.give(coded)


def _stored(layer: Layer) -> str:
    """The type of what QuantizeLinear makes: its zero point's, or what output_dtype says."""
    if layer.has(2):
        return layer.constant(2).data.dtype.name
    number = layer.integer("output_dtype", 0)
    layer.require(number in _OUTPUT, f"has an output_dtype of {number}; choose int8 or uint8")
    return _OUTPUT[number]


def _rounded(layer: Layer, data: Floats, kind: str) -> Array:
    """The integers of a constant: x / scale + zero point, ties to even, clamped."""
    layer.require(kind in _BYTES, f"quantizes to {kind}; choose int8 or uint8")
    scales, zeros = _along(layer, data)
    layer.require(bool((scales > 0).all()), "divides by a scale of 0")
    limits = np.iinfo(kind)
    with np.errstate(over="ignore"):
        ratio = np.rint(data / scales.astype(np.float32))
    return np.asarray(np.clip(ratio + zeros, limits.min, limits.max).astype(kind))


def clip(layer: Layer, x: View) -> None:
    """Bounds in integers, between a QuantizeLinear and its DequantizeLinear: part of a range."""
    kind, quant = layer.to.stored.get(x.tensor), layer.to.codings.get(x.tensor)
    if kind is None or quant is None:
        layer.fail("clips integers that do not come from a QuantizeLinear")
    low, high = (
        int(layer.constant(i).data.ravel()[0]) - (128 if kind == "uint8" else 0)
        if layer.has(i) and layer.constant(i).data.size == 1
        else end
        for i, end in ((1, -128), (2, 127))
    )
    layer.require(low <= quant.zero <= high and low < high, "clips to a range without 0")
    lowest = quant.scale[0] * (low - quant.zero) if layer.has(1) else -math.inf
    highest = quant.scale[0] * (high - quant.zero) if layer.has(2) else math.inf
    y = layer.each("identity", x, bounds=(lowest, highest))
    layer.to.codings[y.tensor], layer.to.stored[y.tensor] = quant, kind
    layer.give(y)


def _coded(layer: Layer, x: View, quant: Quant) -> View:
    """Returns the value in a tensor with this scale and zero point."""
    found = layer.to.codings.get(x.tensor)
    if found is not None and found != quant:
        x = layer.each("identity", x)
    layer.to.codings[x.tensor] = quant
    return x


def dequantize(layer: Layer) -> None:
    """Returns the real numbers of bytes. They stay stored as these bytes."""
    value = layer.value(0)
    if isinstance(value, Constant):
        layer.give(_constant(layer, value.data))
        return
    kind = _integers_of(layer, value.tensor)
    if kind is None:
        layer.fail("reads a value that does not come from a QuantizeLinear")
    layer.require(
        _quant(layer, kind) == layer.to.codings[value.tensor],
        "has another scale or zero point than the QuantizeLinear before it",
    )
    layer.give(value)


def _integers_of(layer: Layer, tensor: str) -> str | None:
    """The type of a tensor's integers; None if it does not come from a QuantizeLinear, or not by
    operators that only move them."""
    to = layer.to
    if tensor in to.stored:
        return to.stored[tensor]
    node = next((n for n in to.nodes if n.name == tensor), None)
    if node is None or node.op not in _MOVES or node.bounds != UNBOUNDED:
        return None
    kinds = {_integers_of(layer, name) for name in node.inputs}
    units = {to.codings.get(name) for name in node.inputs}
    kind, unit = kinds.pop(), units.pop()
    if kinds or units or kind is None or unit is None:
        return None
    to.stored[tensor], to.codings[tensor] = kind, unit
    return kind


def _scales(layer: Layer, *, silent: bool = False) -> tuple[float, ...]:
    """silent: 0 may be among them, of a channel without weights."""
    scales = tuple(float(s) for s in layer.floats(1).ravel())
    layer.require(
        bool(scales) and all(1e-30 < s < 1e30 or (s == 0 and silent) for s in scales),
        "has scales that are not positive numbers of a plausible size",
    )
    return scales


def _zeros(layer: Layer, default: str) -> Array:
    return layer.constant(2).data.ravel() if layer.has(2) else np.zeros(1, default)


def _quant(layer: Layer, kind: str) -> Quant:
    """Returns the single scale and zero point of an activation of type `kind`, for int8."""
    scales, zeros = _scales(layer), _zeros(layer, kind)
    layer.require(
        zeros.dtype.name == kind, f"has a zero point of {zeros.dtype.name} for numbers of {kind}"
    )
    layer.require(kind in _BYTES, f"quantizes to {kind}; choose int8 or uint8")
    layer.require(
        len(scales) == len(zeros) == 1, f"has {len(scales)} scales for an activation, expected 1"
    )
    zero = int(zeros[0]) - (128 if kind == "uint8" else 0)
    return Quant((float(np.float32(scales[0])),), zero)


def _constant(layer: Layer, data: Array) -> Constant:
    """Returns a constant as real numbers, and its scales if they are symmetric int8 weight
    scales."""
    kind = data.dtype.name
    layer.require(kind in (*_BYTES, "int32"), f"holds {kind}; int8, uint8 and int32 are supported")
    layer.require(not layer.integer("block_size", 0), "quantizes in blocks, which is not supported")
    scales, zeros = _along(layer, data)
    real = ((data.astype(np.int64) - zeros) * scales).astype(np.float32)
    symmetric = {"int8": 0, "uint8": 128}.get(kind)
    kept = symmetric is not None and bool((zeros == symmetric).all())
    stored = tuple(float(s) or SILENT_SCALE for s in scales.ravel())
    return Constant(real, stored if kept else (), _axis(layer, data) if scales.size > 1 else 0)


def _axis(layer: Layer, data: Array) -> int:
    return layer.axis(layer.integer("axis", 1), data.ndim)


def _along(layer: Layer, data: Array) -> tuple[Reals, Integers]:
    """Scales and zero points of a constant, one or one for each place of an axis, that broadcast to
    it."""
    scales = np.array(_scales(layer, silent=True))
    zeros = _zeros(layer, data.dtype.name).astype(np.int64)
    if len(scales) == 1:
        layer.require(len(zeros) == 1, f"has {len(zeros)} zero points, expected 1")
        return scales.reshape(()), zeros.reshape(())
    axis = _axis(layer, data)
    layer.require(
        len(scales) == data.shape[axis] and len(zeros) in (1, len(scales)),
        f"has {len(scales)} scales for {data.shape[axis]} channels",
    )
    sides = tuple(-1 if i == axis else 1 for i in range(data.ndim))
    return scales.reshape(sides), zeros.reshape(sides if len(zeros) > 1 else ())
