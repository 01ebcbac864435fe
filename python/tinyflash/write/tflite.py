"""Writer of int8 .tflite files: one rule per operator of a graph's inference part.

Tensors keep their bytes and the order of their source file. Padding that is neither SAME nor VALID
becomes a separate operator. The writer rejects what the format cannot express, such as an output
clipped at unusual numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinyflash.compiler.passes.prune import prune_to_output
from tinyflash.compiler.passes.unit import with_file_unit
from tinyflash.errors import ModelError
from tinyflash.graph import (
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    MeanAttrs,
    Node,
    Number,
    PadAttrs,
    Quant,
    SoftmaxAttrs,
    Steps,
    TakeAttrs,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.layers import weight_of
from tinyflash.quantize.curves import CURVES
from tinyflash.quantize.windows import VALID
from tinyflash.read.places import nearest
from tinyflash.read.tflite.flat import OPTIONS, FlatModel, Option
from tinyflash.read.tflite.pointwise import OWN
from tinyflash.write.exporting import Exporter
from tinyflash.write.flat import serialise

_FUNCTIONS = ("quantize", "relu", "relu6", "leaky_relu", "logistic", "tanh", "hard_swish")


def write_tflite(graph: Graph) -> bytes:
    """Returns the file of the nodes that compute the graph's output, without training nodes."""
    if graph.unread:
        raise ModelError(graph.unread)
    to = Exporter(with_file_unit(prune_to_output(graph)))
    to.add_tensors()
    source, sink = to.port(graph.input), to.port(graph.output)
    if graph.input.dtype == "float32":
        to.emit("QUANTIZE", [source], to.indices[graph.input.tensor])
    for node in to.graph.nodes:
        if node.op not in RULES:
            to.fail(node, "cannot be written to a .tflite file")
        RULES[node.op](to, node)
    if graph.output.dtype == "float32":
        to.emit("DEQUANTIZE", [to.indices[graph.output.tensor]], sink)
    model = FlatModel(graph.name, tuple(to.tensors), tuple(to.operators), (source,), (sink,))
    return serialise(model, to.names)


def _weights(to: Exporter, node: Node) -> list[int]:
    """Adds a layer's weights, and its bias if it has one."""
    bias = [node.inputs["b"]] if "b" in node.inputs else []
    return [to.indices[t] for t in (weight_of(node)[0], *bias)]


def _sliding(to: Exporter, node: Node) -> tuple[int, dict[str, Option]]:
    """Returns the input of a convolution or a pool, and its options."""
    assert isinstance(node.attrs, WindowAttrs)
    x, padding = to.indices[node.inputs["x"]], to.padding(node, node.attrs.window)
    if padding is None:
        x, padding = _padded(to, node, x, node.attrs.window), VALID
    options: dict[str, Option] = {
        "Padding": padding,
        "StrideH": node.attrs.window.stride[0],
        "StrideW": node.attrs.window.stride[1],
        "FusedActivationFunction": to.activation(node, node.attrs.clip),
    }
    return x, options


def _padded(to: Exporter, node: Node, x: int, window: Window) -> int:
    """Returns the input, padded for the window: with zeros for a convolution, with the lowest
    number for a pool."""
    if not node.operator.pads_with:
        to.fail(
            node,
            f"padding {window.padding} is neither SAME nor VALID, and does not count, which no "
            ".tflite pool does; pad the map first, or pool without padding",
        )
    top, left, bottom, right = window.padding
    amounts = ((0, 0), (top, bottom), (left, right), (0, 0))
    pairs = zip(to.tensors[x].shape, amounts, strict=True)
    shape = tuple(before + size + after for size, (before, after) in pairs)
    quant = to.quant(node.inputs["x"])
    y = to.add(f"{node.name}.padded", "INT8", shape, quant, None)
    value = -128 if node.operator.pads_with == "lowest" else quant.zero
    _emit_pad(to, node, [x, to.integers(node, amounts)], y, value)
    return y


def _emit_pad(to: Exporter, node: Node, inputs: list[int], y: int, value: int) -> None:
    """Adds a PAD, or a PADV2 if `value` is not the zero point of `y`."""
    quant = Quant(to.tensors[y].scales, to.tensors[y].zeros[0])
    if value == quant.zero:
        to.emit("PAD", inputs, y)
        return
    number = to.add(f"{node.name}.value", "INT8", (1,), quant, np.array([value], np.int8))
    to.emit("PADV2", [*inputs, number], y)


def _convolution(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, WindowAttrs)
    x, options = _sliding(to, node)
    options["DilationHFactor"], options["DilationWFactor"] = node.attrs.window.dilation
    code = "CONV_2D"
    y = to.indices[node.outputs["y"]]
    if node.op == "depthwise":
        code = "DEPTHWISE_CONV_2D"
        channels = to.tensors[x].shape[-1]
        options["DepthMultiplier"] = to.tensors[y].shape[-1] // channels
    to.emit(code, [x, *_weights(to, node)], y, options)


def _dense(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, DenseAttrs)
    x, y = to.indices[node.inputs["x"]], to.indices[node.outputs["y"]]
    outer = to.tensors[y].shape[:-1]
    options = {
        "FusedActivationFunction": to.activation(node, node.attrs.clip),
        "KeepNumDims": len(outer) > 1 and outer == to.tensors[x].shape[:-1],
    }
    to.emit("FULLY_CONNECTED", [x, *_weights(to, node)], y, options)


def _pool(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, WindowAttrs)
    x, options = _sliding(to, node)
    options["FilterHeight"], options["FilterWidth"] = node.attrs.window.kernel
    to.emit(f"{node.op.upper()}_2D", [x], to.indices[node.outputs["y"]], options)


def _mean(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, MeanAttrs)
    kept = len(to.shape(node.inputs["x"])) == len(to.shape(node.outputs["y"]))
    to.put("MEAN", node, [to.integers(node, node.attrs.axes)], {"KeepDims": kept})


def _combine(to: Exporter, node: Node) -> None:
    """Adds a sum or a product of two maps."""
    assert isinstance(node.attrs, ClipAttrs)
    options = {"FusedActivationFunction": to.activation(node, node.attrs.clip)}
    to.put(node.op.upper(), node, options=options)


def _prelu(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, ClipAttrs)
    if node.attrs.clip != Clip():
        to.fail(node, "no operator of a .tflite file clips at these numbers")
    to.put("PRELU", node)


def _chosen(to: Exporter, node: Node) -> None:
    """The smaller, or the larger, of two maps."""
    to.put(node.op.upper(), node)


def _pad(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    amounts = list(zip(node.attrs.before, node.attrs.after, strict=True))
    if len(to.shape(node.inputs["x"])) == 4:
        amounts.insert(0, (0, 0))
    x, y = to.indices[node.inputs["x"]], to.indices[node.outputs["y"]]
    _emit_pad(to, node, [x, to.integers(node, amounts)], y, node.attrs.value)


def _take(to: Exporter, node: Node) -> None:
    """A slice, a map in another size, or one that is repeated along axes of 1."""
    assert isinstance(node.attrs, TakeAttrs)
    x, y = (to.shape(node.inputs["x"]), to.shape(node.outputs["y"]))
    axes = (node.attrs.rows, node.attrs.columns, node.attrs.channels)
    if all(steps.unit == 1 for steps in axes):
        lead = (Steps(),) * (len(x) - 3)
        steps = (*lead, *axes)
        begin = [s.first for s in steps]
        end = [s.first + (n - 1) * s.step + 1 for s, n in zip(steps, y, strict=True)]
        numbers = [to.integers(node, v) for v in (begin, end, [s.step for s in steps])]
        to.put("STRIDED_SLICE", node, numbers, dict.fromkeys(OPTIONS["STRIDED_SLICE"][1], 0))
    elif all(s in (Steps(), Steps(0, 1, n)) for s, n in zip(axes, y[-3:], strict=True)):
        to.put("BROADCAST_TO", node, [to.integers(node, y)])
    else:
        options = _resizing(x[-3:], y[-3:], node.attrs)
        if options is None or len(x) != 4:
            to.fail(node, "takes rows, columns or channels as no operator of the format does")
        to.put("RESIZE_NEAREST_NEIGHBOR", node, [to.integers(node, y[1:3])], options)


def _resizing(x: tuple[int, ...], y: tuple[int, ...], attrs: TakeAttrs) -> dict[str, Option] | None:
    """Returns the options with which nearest neighbours are these places; None if none are."""
    if attrs.channels != Steps() or x[2] != y[2]:
        return None
    for corners, pixels in ((False, False), (True, False), (False, True)):
        sides = zip(x[:2], y[:2], (attrs.rows, attrs.columns), strict=True)
        if all(
            nearest(size, count, align_corners=corners, half_pixels=pixels)
            == [(steps.first + i * steps.step) // steps.unit for i in range(count)]
            for size, count, steps in sides
        ):
            return {"AlignCorners": corners, "HalfPixelCenters": pixels}
    return None


def _reshape(to: Exporter, node: Node) -> None:
    to.put("RESHAPE", node, [to.integers(node, to.shape(node.outputs["y"]))])


def _transpose(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, TransposeAttrs)
    to.put("TRANSPOSE", node, [to.integers(node, node.attrs.order)])


def _concatenate(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, AxisAttrs)
    to.put("CONCATENATION", node, options={"Axis": node.attrs.axis})


def _lookup(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, LookupAttrs)
    if node.attrs.number is not None:
        _with_number(to, node, node.attrs, node.attrs.number)
        return
    if node.attrs.function in CURVES:
        _curve(to, node, node.attrs)
        return
    if node.attrs.function not in _FUNCTIONS:
        to.fail(node, f"{node.attrs.function} cannot be written to a .tflite file")
    x, y = node.inputs["x"], node.outputs["y"]
    if node.attrs.clip != Clip():
        if node.attrs.function == "quantize" and to.quant(x) == to.quant(y):
            to.bound(node.name, to.indices[x], to.indices[y], node.attrs.clip)
            return
        to.bounded[to.indices[y]] = node.attrs.clip
    leaky = node.attrs.function == "leaky_relu"
    to.put(node.attrs.function.upper(), node, options={"Alpha": node.attrs.alpha} if leaky else {})


def _curve(to: Exporter, node: Node, attrs: LookupAttrs) -> None:
    """Adds the format's operator, or a custom one of our own where it has none."""
    if attrs.function in ("gelu", "gelu_tanh"):
        to.put("GELU", node, options={"Approximate": attrs.function == "gelu_tanh"})
    elif attrs.function == "abs" or (attrs.function == "elu" and attrs.alpha == 1):
        to.put(attrs.function.upper(), node)
    else:
        alpha = np.array([attrs.alpha], np.float32)
        extra = [to.add(f"{node.name}.alpha", "FLOAT32", (1,), None, alpha)] if attrs.alpha else []
        to.put(f"{OWN}{attrs.function}", node, extra)


def _with_number(to: Exporter, node: Node, attrs: LookupAttrs, number: Number) -> None:
    """Adds a sum, a difference or a product with a constant of one element."""
    stored = np.array([number.stored], np.int8)
    operands = [to.indices[node.inputs["x"]]]
    at = 0 if number.first else 1
    operands.insert(at, to.add(f"{node.name}.number", "INT8", (1,), number.quant, stored))
    options = {"FusedActivationFunction": to.activation(node, attrs.clip)}
    to.emit(attrs.function.upper(), operands, to.indices[node.outputs["y"]], options)


def _softmax(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, SoftmaxAttrs)
    to.put("SOFTMAX", node, options={"Beta": node.attrs.beta})


def _log_softmax(to: Exporter, node: Node) -> None:
    to.put("LOG_SOFTMAX", node)


RULES: Mapping[str, Callable[[Exporter, Node], None]] = {
    "conv2d": _convolution,
    "depthwise": _convolution,
    "fully_connected": _dense,
    "average_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "add": _combine,
    "sub": _combine,
    "mul": _combine,
    "prelu": _prelu,
    "maximum": _chosen,
    "minimum": _chosen,
    "pad": _pad,
    "take": _take,
    "reshape": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "lookup": _lookup,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
