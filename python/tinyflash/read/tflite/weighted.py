"""Rules for layers with weights: convolution, depthwise convolution, fully connected."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tinyflash.graph import DenseAttrs, Quant, Tensor, WindowAttrs
from tinyflash.quantize.weights import SILENT_SCALE
from tinyflash.quantize.windows import output_size
from tinyflash.read.tflite.importing import Layer
from tinyflash.read.tflite.windows import fused_clip, window

_INT32_MAX = 2**31 - 1


def conv2d(layer: Layer) -> None:
    """Convolution; in groups if the weights have fewer channels than the input."""
    layer.count(3, 2)
    x, weights = layer.activation(0), _weights(layer, 4)
    height, width, channels = layer.map_shape(layer.flat_input(0))
    out, kernel_h, kernel_w, depth = weights.shape
    groups = channels // depth
    layer.require(
        channels % depth == 0 and out % groups == 0,
        f"weights {list(weights.shape)} do not fit {channels} input channels in equal groups",
    )
    sliding = window(layer, (kernel_h, kernel_w), (height, width))
    layer.require(
        layer.map_shape(layer.flat_output) == (*output_size(sliding, (height, width)), out),
        f"output shape {list(layer.flat_output.shape)} does not follow from the input's",
    )
    inputs = {"x": x, "w_frozen": _constant(layer, weights, axis=0)}
    _add_bias(layer, inputs, out, terms=kernel_h * kernel_w * depth)
    layer.emit("conv2d", inputs, WindowAttrs(sliding, fused_clip(layer), groups=groups))


def depthwise(layer: Layer) -> None:
    """Depthwise convolution: one or several output channels per input channel."""
    layer.count(3, 2)
    x, weights = layer.activation(0), _weights(layer, 4)
    height, width, channels = layer.map_shape(layer.flat_input(0))
    one, kernel_h, kernel_w, out = weights.shape
    layer.require(
        one == 1 and out % channels == 0,
        f"weights {list(weights.shape)} do not fit {channels} input channels",
    )
    sliding = window(layer, (kernel_h, kernel_w), (height, width))
    layer.require(
        layer.map_shape(layer.flat_output) == (*output_size(sliding, (height, width)), out),
        f"output shape {list(layer.flat_output.shape)} does not follow from the input's",
    )
    inputs = {"x": x, "w_frozen": _constant(layer, weights[0], axis=2, file_axis=3)}
    _add_bias(layer, inputs, out, terms=kernel_h * kernel_w)
    layer.emit("depthwise", inputs, WindowAttrs(sliding, fused_clip(layer)))


def fully_connected(layer: Layer) -> None:
    """Fully connected; any leading dimensions are rows."""
    layer.count(3, 2)
    x, weights = layer.activation(0), _weights(layer, 2)
    out, depth = weights.shape
    layer.require(not layer.option("WeightsFormat", 0), "shuffled weights are not supported")
    layer.require(x.size % depth == 0, f"input of {x.size} elements, weights for {depth}")
    shape = layer.shape(layer.flat_output)
    layer.require(
        bool(shape) and shape[-1] == out and math.prod(shape) == x.size // depth * out,
        f"output shape {list(shape)} does not follow from the input's",
    )
    inputs = {"x": x, "w_frozen": _constant(layer, weights, axis=0)}
    _check_bias_scale(layer)
    _add_bias(layer, inputs, out, terms=depth)
    layer.emit("fully_connected", inputs, DenseAttrs(fused_clip(layer)))


def _weights(layer: Layer, rank: int) -> npt.NDArray[np.int8]:
    flat = layer.flat_input(1)
    layer.typed(flat, ("INT8",))
    shape = layer.shape(flat)
    layer.require(len(shape) == rank, f"weights of shape {list(shape)}, expected {rank} dimensions")
    return layer.constant(1).astype(np.int8)


def _constant(
    layer: Layer, weights: npt.NDArray[np.int8], axis: int, file_axis: int | None = None
) -> Tensor:
    """Adds the weights in the graph's layout. axis: of the output channels."""
    flat = layer.flat_input(1)
    scales, out = layer.scales(flat, silent=True), weights.shape[axis]
    expected = axis if file_axis is None else file_axis
    layer.require(not any(flat.zeros), "weights have a zero point; only 0 is supported")
    layer.require(len(scales) in (1, out), f"{len(scales)} weight scales for {out} channels")
    layer.require(
        len(scales) == 1 or flat.axis == expected,
        f"weights quantized along dimension {flat.axis}, expected {expected}",
    )
    silent = np.broadcast_to(np.array(scales) == 0, out)
    nothing = not np.moveaxis(weights, axis, 0)[silent].any()
    layer.require(nothing, "has a channel of scale 0 with weights other than 0")
    quant = Quant(tuple(scale or SILENT_SCALE for scale in scales), 0, axis)
    return layer.constant_tensor("w", weights, quant, flat.index)


def _check_bias_scale(layer: Layer) -> None:
    """Checks that the bias scale of a fully connected layer is input scale * weight scale, as in
    TFLM."""
    if not layer.has_input(2):
        return
    bias, weight = layer.flat_input(2), layer.scales(layer.flat_input(1), silent=True)
    if len(weight) > 1 or not bias.scales or not weight[0]:
        return
    product = layer.quant(layer.flat_input(0)).scale[0] * weight[0]
    difference = abs(product - layer.scales(bias)[0])
    layer.require(
        difference <= 0.02 * layer.quant(layer.flat_output).scale[0],
        f"bias scale {bias.scales[0]:.3g} is not input scale times weight scale, {product:.3g}",
    )


def _add_bias(layer: Layer, inputs: dict[str, Tensor], out: int, terms: int) -> None:
    """Adds the bias. The compiler checks that sums stay within int32, for which it needs to know
    what is trained. No scheme can help a layer whose products alone overflow (SPEC 10.5)."""
    layer.require(
        _INT32_MAX - 255 * 128 * terms > 0, f"sums {terms} products, which can overflow int32"
    )
    if not layer.has_input(2):
        return
    flat = layer.flat_input(2)
    layer.typed(flat, ("INT32",))
    bias = layer.constant(2)
    layer.require(bias.shape == (out,), f"bias of shape {list(bias.shape)} for {out} channels")
    inputs["b"] = layer.constant_tensor("b", bias.astype(np.int32), source=flat.index)
