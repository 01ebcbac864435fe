"""Rules for layers with weights: convolution, depthwise convolution, fully connected."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Array, DenseAttrs, Pair, Quant, Tensor, TransposeAttrs, WindowAttrs
from tinyflash.quantize.weights import SILENT_SCALE
from tinyflash.quantize.windows import SAME, VALID, output_size, same_padding
from tinyflash.read.tflite.importing import Layer
from tinyflash.read.tflite.windows import fused_clip, window
from tinyflash.read.transposed import unfold, unfolded_weights


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
    _add_bias(layer, inputs, out)
    layer.emit("conv2d", inputs, WindowAttrs(sliding, fused_clip(layer), groups=groups))


def transpose_conv(layer: Layer) -> None:
    """Transposed convolution, as a convolution whose channels become rows and columns."""
    layer.count(4, 3)
    x, weights = layer.activation(2), _weights(layer, 4)
    height, width, channels = layer.map_shape(layer.flat_input(2))
    tall, wide, out = layer.map_shape(layer.flat_output)
    stride = int(layer.option("StrideH")), int(layer.option("StrideW"))
    kernel = weights.shape[1:3]
    layer.require(
        weights.shape[0] == out and weights.shape[3] == channels,
        f"weights {list(weights.shape)} do not fit {channels} input and {out} output channels",
    )
    layer.require(
        all(0 < side < 256 for side in (*kernel, *stride)),
        f"kernel {kernel}, stride {stride}: each must be 1 to 255",
    )
    before = _before(layer, (height, width), (tall, wide), (kernel[0], kernel[1]), stride)
    plan = unfold((kernel[0], kernel[1]), stride, before, (height, width), (tall, wide), out)
    copies = stride[0] * stride[1]
    inputs = {"w_frozen": _constant(layer, weights, axis=0, unfolding=stride)}
    _add_bias(layer, inputs, out, 3, copies)
    attrs = WindowAttrs(plan.window, fused_clip(layer))
    quant = layer.quant(layer.flat_output)
    y = layer.between("conv2d", "conv2d", x, plan.made, attrs, more=inputs, quant=quant)
    if stride[0] > 1:
        y = layer.between("split", "reshape", y, plan.split)
        y = layer.between("turned", "transpose", y, plan.turned, TransposeAttrs(plan.order))
    if plan.joined == (1, tall, wide, out):
        layer.emit("reshape", {"x": y})
        return
    y = layer.between("joined", "reshape", y, plan.joined)
    layer.emit("take", {"x": y}, plan.cut)


def _before(layer: Layer, size: Pair, made: Pair, kernel: Pair, stride: Pair) -> Pair:
    """Returns the padding of the output at the top and at the left, by the format's scheme."""
    scheme = layer.option("Padding")
    layer.require(scheme in (SAME, VALID), f"padding scheme {scheme} is unknown")
    sides = list(zip(size, made, kernel, stride, strict=True))
    expected = [-(-m // s) if scheme == SAME else (m - k + s) // s for _, m, k, s in sides]
    layer.require(
        expected == list(size) and all(m >= k for _, m, k, _ in sides if scheme == VALID),
        f"a map of {list(size)} does not make one of {list(made)}",
    )
    if scheme == VALID:
        return 0, 0
    top, left = (same_padding(m, k, s, 1)[0] for _, m, k, s in sides)
    return top, left


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
    _add_bias(layer, inputs, out)
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
    _add_bias(layer, inputs, out)
    layer.emit("fully_connected", inputs, DenseAttrs(fused_clip(layer)))


def _weights(layer: Layer, rank: int) -> npt.NDArray[np.int8]:
    flat = layer.flat_input(1)
    layer.typed(flat, ("INT8",))
    shape = layer.shape(flat)
    layer.require(len(shape) == rank, f"weights of shape {list(shape)}, expected {rank} dimensions")
    return layer.constant(1).astype(np.int8)


def _constant(
    layer: Layer,
    weights: npt.NDArray[np.int8],
    axis: int,
    file_axis: int | None = None,
    unfolding: Pair = (1, 1),
) -> Tensor:
    """Adds the weights in the graph's layout. axis: of the output channels. unfolding: the stride
    of a transposed convolution."""
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
    scales = tuple(scale or SILENT_SCALE for scale in scales)
    data: Array = weights
    if layer.operator.code == "TRANSPOSE_CONV":
        data = unfolded_weights(weights, unfolding)
        scales = scales * math.prod(unfolding) if len(scales) > 1 else scales
    return layer.constant_tensor("w", data, Quant(scales, 0, axis), flat.index)


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


def _add_bias(
    layer: Layer, inputs: dict[str, Tensor], out: int, position: int = 2, copies: int = 1
) -> None:
    """Adds the bias, so many times. The compiler checks that sums stay within int32, for which it
    needs to know what is trained."""
    if not layer.has_input(position):
        return
    flat = layer.flat_input(position)
    layer.typed(flat, ("INT32",))
    bias = layer.constant(position)
    layer.require(bias.shape == (out,), f"bias of shape {list(bias.shape)} for {out} channels")
    data = np.tile(bias.astype(np.int32), copies)
    inputs["b"] = layer.constant_tensor("b", data, source=flat.index)
