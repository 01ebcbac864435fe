"""Writer of int8 .tflite files: one rule per operator of a graph's inference part.

Tensors keep the order of the file they came from, and their bytes. What a file cannot say, padding
other than SAME and VALID, or arithmetic with a constant that is a table by now, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tinyflash.graph import (
    AxisAttrs,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    TransposeAttrs,
    WindowAttrs,
)
from tinyflash.passes.layers import weight_of
from tinyflash.passes.prune import prune_to_output
from tinyflash.passes.unit import with_file_unit
from tinyflash.read.flat import FlatModel, Option
from tinyflash.read.tables import softmax_exponentials
from tinyflash.write.exporting import Exporter, data_of
from tinyflash.write.flat import serialise

_FUNCTIONS = ("quantize", "relu", "relu6", "leaky_relu", "logistic", "tanh", "hard_swish")


def write_tflite(graph: Graph) -> bytes:
    """The file of what computes the graph's output; training nodes are left out."""
    to = Exporter(with_file_unit(prune_to_output(graph)))
    to.add_tensors()
    source, sink = to.port(graph.input), to.port(graph.output)
    if graph.input.dtype == "float32":
        to.emit("QUANTIZE", [source], to.indices[graph.input.tensor])
    for node in to.graph.nodes:
        if node.op not in _RULES:
            to.fail(node, "cannot be written to a .tflite file")
        _RULES[node.op](to, node)
    if graph.output.dtype == "float32":
        to.emit("DEQUANTIZE", [to.indices[graph.output.tensor]], sink)
    model = FlatModel(graph.name, tuple(to.tensors), tuple(to.operators), (source,), (sink,))
    return serialise(model, to.names)


def _weighted_inputs(to: Exporter, node: Node) -> list[int]:
    names = [node.inputs["x"], weight_of(node)[0]]
    return [to.indices[t] for t in (*names, *([node.inputs["b"]] if "b" in node.inputs else []))]


def _sliding(to: Exporter, node: Node) -> dict[str, Option]:
    """Options of convolutions and pools."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    return {
        "Padding": to.padding(node, window),
        "StrideH": window.stride[0],
        "StrideW": window.stride[1],
        "FusedActivationFunction": to.activation(node, node.attrs.clip),
    }


def _convolution(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, WindowAttrs)
    options = _sliding(to, node)
    options["DilationHFactor"], options["DilationWFactor"] = node.attrs.window.dilation
    code = "CONV_2D"
    y = to.indices[node.outputs["y"]]
    if node.op == "depthwise":
        code = "DEPTHWISE_CONV_2D"
        channels = to.shape(node.inputs["x"])[-1]
        options["DepthMultiplier"] = to.tensors[y].shape[-1] // channels
    to.emit(code, _weighted_inputs(to, node), y, options)


def _dense(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, DenseAttrs)
    options = {"FusedActivationFunction": to.activation(node, node.attrs.clip)}
    y = to.indices[node.outputs["y"]]
    to.emit("FULLY_CONNECTED", _weighted_inputs(to, node), y, options)


def _pool(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, WindowAttrs)
    options = _sliding(to, node)
    options["FilterHeight"], options["FilterWidth"] = node.attrs.window.kernel
    to.put({"max_pool": "MAX_POOL_2D"}.get(node.op, "AVERAGE_POOL_2D"), node, options=options)


def _mean(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, MeanAttrs)
    kept = len(to.shape(node.inputs["x"])) == len(to.shape(node.outputs["y"]))
    to.put("MEAN", node, [to.integers(node, node.attrs.axes)], {"KeepDims": kept})


def _combine(to: Exporter, node: Node) -> None:
    """A sum or a product of two maps."""
    assert isinstance(node.attrs, ClipAttrs)
    options = {"FusedActivationFunction": to.activation(node, node.attrs.clip)}
    to.put(node.op.upper(), node, options=options)


def _pad(to: Exporter, node: Node) -> None:
    assert isinstance(node.attrs, PadAttrs)
    amounts = list(zip(node.attrs.before, node.attrs.after, strict=True))
    if len(to.shape(node.inputs["x"])) == 4:
        amounts.insert(0, (0, 0))
    quant = to.quant(node.outputs["y"])
    extra = [to.integers(node, amounts)]
    if node.attrs.value != quant.zero:
        value = np.array([node.attrs.value], np.int8)
        extra.append(to.add(f"{node.name}.value", "INT8", (1,), quant, value))
    to.put("PADV2" if len(extra) > 1 else "PAD", node, extra)


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
    if node.attrs.function not in _FUNCTIONS:
        to.fail(node, f"{node.attrs.function} with a constant cannot be written")
    leaky = node.attrs.function == "leaky_relu"
    to.put(node.attrs.function.upper(), node, options={"Alpha": node.attrs.alpha} if leaky else {})


def _softmax(to: Exporter, node: Node) -> None:
    table = data_of(to.graph.tensors[node.inputs["table"]])
    plain = softmax_exponentials(to.quant(node.inputs["x"]).scale[0], 1.0)
    if not np.array_equal(table, plain):
        to.fail(node, "has a beta other than 1, which cannot be written")
    to.put("SOFTMAX", node, options={"Beta": 1.0})


_RULES: Mapping[str, Callable[[Exporter, Node], None]] = {
    "conv2d": _convolution,
    "depthwise": _convolution,
    "fully_connected": _dense,
    "average_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "add": _combine,
    "mul": _combine,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "lookup": _lookup,
    "softmax": _softmax,
}
