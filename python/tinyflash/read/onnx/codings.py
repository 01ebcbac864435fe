"""Rules for already quantized models: QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import numpy as np

from tinyflash.graph import Array, Quant
from tinyflash.read.onnx.importing import Constant, Layer
from tinyflash.read.onnx.views import View

_BYTES = ("int8", "uint8")


def quantize(layer: Layer) -> None:
    """Values computed at run time get this scale; constants stay as they are."""
    value, quant = layer.value(0), _quant(layer)
    if isinstance(value, Constant):
        layer.fail("quantizes a constant; export constants as quantized")
    layer.give(_coded(layer, value, quant))


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
    quant = _quant(layer)
    if value.tensor not in layer.to.codings:
        layer.fail("reads a value that does not come from a QuantizeLinear")
    layer.give(_coded(layer, value, quant))


def _scales(layer: Layer) -> tuple[float, ...]:
    scales = tuple(float(s) for s in layer.floats(1).ravel())
    layer.require(
        bool(scales) and all(1e-30 < s < 1e30 for s in scales),
        "has scales that are not positive numbers of a plausible size",
    )
    return scales


def _zeros(layer: Layer, default: str) -> Array:
    return layer.constant(2).data.ravel() if layer.has(2) else np.zeros(1, default)


def _quant(layer: Layer) -> Quant:
    """Returns the single scale and zero point of an activation, for int8."""
    scales, zeros = _scales(layer), _zeros(layer, "uint8")
    kind = zeros.dtype.name
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
    scales, zeros = np.array(_scales(layer)), _zeros(layer, kind).astype(np.int64)
    axis, offset = 0, zeros
    if len(scales) > 1:
        axis = layer.axis(layer.integer("axis", 1), data.ndim)
        layer.require(
            len(scales) == data.shape[axis] and len(zeros) in (1, len(scales)),
            f"has {len(scales)} scales for {data.shape[axis]} channels",
        )
        sides = tuple(-1 if i == axis else 1 for i in range(data.ndim))
        scales, offset = scales.reshape(sides), zeros.reshape(sides if len(zeros) > 1 else ())
    else:
        layer.require(len(zeros) == 1, f"has {len(zeros)} zero points, expected 1")
        offset = zeros.reshape(())
        scales = scales.reshape(())
    real = ((data.astype(np.int64) - offset) * scales).astype(np.float32)
    symmetric = {"int8": 0, "uint8": 128}.get(kind)
    kept = symmetric is not None and bool((zeros == symmetric).all())
    return Constant(real, tuple(float(s) for s in scales.ravel()) if kept else (), axis)
