"""Rules for layers with weights: convolutions, products with a constant matrix, normalisation."""

from __future__ import annotations

import math

import numpy as np

from tinyflash.graph import TransposeAttrs
from tinyflash.quantize.floatgraph.graph import Floats, Weights
from tinyflash.quantize.windows import output_size
from tinyflash.read.onnx.importing import Constant, Layer
from tinyflash.read.onnx.pointwise import affine
from tinyflash.read.onnx.views import View, dense
from tinyflash.read.onnx.windows import attribute_window, transposed_sizes
from tinyflash.read.transposed import unfold, unfolded_weights


def conv(layer: Layer) -> None:
    """Convolution over one or two dimensions; with one group per channel, a depthwise one."""
    x, shape = layer.map_of(0)
    like = layer.view(0).shape
    constant, w = layer.constant(1), layer.floats(1)
    groups = layer.integer("group", 1)
    layer.require(w.ndim == len(like), f"weights of shape {list(w.shape)} for maps {list(like)}")
    w = w if w.ndim == 4 else w[:, :, np.newaxis]
    out, depth = w.shape[:2]
    layer.require(
        groups > 0 and depth * groups == shape[3] and out % groups == 0,
        f"weights {list(w.shape)} in {groups} groups do not fit {shape[3]} input channels",
    )
    sides = len(like) - 2
    kernel = tuple(layer.whole("kernel_shape", w.shape[-sides:]))
    layer.require(kernel == w.shape[-sides:], f"kernel_shape {list(kernel)} is not its weights'")
    window = attribute_window(layer, w.shape[2:], shape[1:3], sides)
    size = output_size(window, (shape[1], shape[2]))
    depthwise = depth == 1 and groups == shape[3] and groups > 1
    stored = w[:, 0].transpose(1, 2, 0) if depthwise else w.transpose(0, 2, 3, 1)
    weights = _weights(constant, stored, _bias(layer, out), channel_axis=0)
    op = "depthwise" if depthwise else "conv2d"
    layer.give_map(layer.emit(op, [x], (1, *size, out), window, weights), like)


def conv_transpose(layer: Layer) -> None:
    """Transposed convolution, as a convolution whose channels become rows and columns."""
    x, shape = layer.map_of(0)
    like = layer.view(0).shape
    w, sides = layer.floats(1), len(like) - 2
    layer.require(
        w.ndim == len(like) and w.shape[0] == shape[3],
        f"weights of shape {list(w.shape)} for maps {list(like)}",
    )
    layer.require(layer.integer("group", 1) == 1, "is in groups; export without them")
    kernel = tuple(layer.whole("kernel_shape", w.shape[-sides:]))
    layer.require(kernel == w.shape[-sides:], f"kernel_shape {list(kernel)} is not its weights'")
    w = (w if w.ndim == 4 else w[:, :, np.newaxis]).transpose(1, 2, 3, 0)
    stride, before, made = transposed_sizes(layer, w.shape[1:3], shape[1:3], sides)
    out = len(w)
    plan = unfold((w.shape[1], w.shape[2]), stride, before, (shape[1], shape[2]), made, out)
    b = np.tile(_bias(layer, out), stride[0] * stride[1])
    weights = Weights(np.ascontiguousarray(unfolded_weights(w, stride)), b)
    y = layer.emit("conv2d", [x], plan.made, plan.window, weights)
    if stride[0] > 1:
        y = layer.shaped(y, plan.split)
        y = layer.emit("transpose", [y], plan.turned, TransposeAttrs(plan.order))
    y, whole = layer.shaped(y, plan.joined), (1, *made, out)
    layer.give_map(y if plan.joined == whole else layer.emit("take", [y], whole, plan.cut), like)


def _bias(layer: Layer, out: int) -> Floats:
    if not layer.has(2):
        return np.zeros(out, np.float32)
    bias = layer.floats(2)
    layer.require(bias.shape == (out,), f"bias of shape {list(bias.shape)} for {out} channels")
    return bias


def _weights(constant: Constant, w: Floats, b: Floats, channel_axis: int) -> Weights:
    """Returns the weights, and their scales if the file has one per output channel."""
    fits = len(constant.scales) == 1 or constant.axis == channel_axis
    return Weights(np.ascontiguousarray(w), b, constant.scales if fits else ())


def gemm(layer: Layer) -> None:
    """Product with a constant matrix, plus a constant."""
    layer.require(not layer.integer("transA", 0), "transposes its input, which is not supported")
    transposed = layer.integer("transB", 0) == 1
    alpha, beta = layer.real("alpha", 1.0), layer.real("beta", 1.0)
    w = layer.floats(1)
    layer.require(w.ndim == 2, f"weights of shape {list(w.shape)}, expected 2 dimensions")
    w = w if transposed else w.T
    b = np.zeros(len(w), np.float32)
    if layer.has(2) and beta != 0:
        given = layer.floats(2)
        layer.require(
            given.size in (1, len(w)) and given.shape[-1:] in ((), (given.size,)),
            f"sum of shape {list(given.shape)} for {len(w)} outputs",
        )
        b = np.broadcast_to(beta * given.ravel(), (len(w),)).astype(np.float32)
    constant = layer.constant(1) if alpha == 1 else Constant(w)
    weights = _weights(constant, w * np.float32(alpha), b, 0 if transposed else 1)
    layer.give(_dense(layer, layer.view(0), weights))


def matmul(layer: Layer) -> None:
    """Product of rows with a constant matrix."""
    x, constant, w = layer.view(0), layer.constant(1), layer.floats(1)
    layer.require(w.ndim == 2, f"weights of shape {list(w.shape)}, expected 2 dimensions")
    b = np.zeros(w.shape[1], np.float32)
    layer.give(_dense(layer, x, _weights(constant, w.T, b, channel_axis=1)))


def _dense(layer: Layer, x: View, weights: Weights) -> View:
    """Rows of x times the weights. Reorders their columns to the layout of x."""
    layer.require(bool(x.shape), "reads a single number, not rows")
    *lead, depth = x.shape
    out, columns = weights.w.shape
    layer.require(depth == columns, f"rows of {depth} elements, weights for {columns}")
    rows = math.prod(lead)
    places = x.places(len(lead))
    if rows > 1 and not _by_rows(x):
        x = layer.compacted(x, range(len(x.shape)))[0]
        places = x.places(len(lead))
    w = np.empty_like(weights.w)
    w[:, places] = weights.w
    row = (1,) if rows == 1 else (1, rows)
    flat = layer.shaped(x.tensor, (*row, depth))
    ordered = Weights(w, weights.b, weights.scales)
    y = layer.emit("fully_connected", [flat], (*row, out), None, ordered)
    return dense(y, (*lead, out))


def _by_rows(x: View) -> bool:
    """Whether the rows are stored one after the other."""
    *lead, depth = x.shape
    starts = dense("", (*lead, 1), None).axes
    found = tuple(tuple((p.size, p.stride) for p in axis) for axis in x.axes[:-1])
    wanted = tuple(tuple((p.size, p.stride * depth) for p in axis) for axis in starts[:-1])
    return found == wanted


def batch_norm(layer: Layer) -> None:
    """Normalisation with fixed statistics: a factor and a term per channel."""
    training = layer.integer("training_mode", 0)
    if layer.opset < 14:  # which say it by listing results, read or not
        training = len(layer.node.outputs) > 1
    layer.require(
        not training and not any(layer.node.outputs[1:]),
        "is in training mode; export for inference",
    )
    layer.require(
        all(layer.is_constant(i) for i in (3, 4) if layer.has(i)),
        "normalises by the statistics of its input; keep running ones, as track_running_stats=True "
        "does in PyTorch",
    )
    x = layer.view(0)
    gamma, beta, mean, variance = (layer.floats(i).astype(np.float64) for i in (1, 2, 3, 4))
    layer.require(
        len(x.shape) > 1 and all(p.shape == (x.shape[1],) for p in (gamma, beta, mean, variance)),
        f"has statistics that do not match the channels of {list(x.shape)}",
    )
    layer.require(bool((variance >= 0).all()), "has a negative variance")
    factor = gamma / np.sqrt(variance + max(layer.real("epsilon", 1e-5), 1e-12))
    sides = (x.shape[1], *(1 for _ in x.shape[2:]))
    layer.give(affine(layer, x, factor.reshape(sides), (beta - mean * factor).reshape(sides)))
