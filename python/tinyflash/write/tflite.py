"""Writer of int8 .tflite files: one rule per operator of a graph's inference part.

Tensors keep the order of the file they came from. What a file cannot say, padding other than SAME
and VALID, or arithmetic with a constant that is now a table, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tinyflash.errors import ModelError
from tinyflash.graph import (
    Array,
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    MeanAttrs,
    Node,
    PadAttrs,
    Port,
    Quant,
    Tensor,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.passes.layers import WEIGHTED, weight_of, weight_scales
from tinyflash.passes.prune import prune_to_output
from tinyflash.read.fixedpoint import float32
from tinyflash.read.flat import FlatModel, FlatOperator, FlatTensor, Option
from tinyflash.read.tables import softmax_exponentials
from tinyflash.read.windows import ACTIVATIONS, SAME, VALID, bounds, same_padding
from tinyflash.write.flat import serialise

Options = Mapping[str, Option]

_TYPES = {"int8": "INT8", "uint8": "UINT8", "int32": "INT32", "float32": "FLOAT32"}
_FUNCTIONS = ("quantize", "relu", "relu6", "leaky_relu", "logistic", "tanh", "hard_swish")


def write_tflite(graph: Graph) -> bytes:
    """The file of what computes the graph's output; training nodes are left out."""
    return _Writer(prune_to_output(graph)).file()


@dataclass
class _Writer:
    """A file in the making; `indices` of the graph's tensors in it."""

    graph: Graph
    tensors: list[FlatTensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    operators: list[FlatOperator] = field(default_factory=list)
    indices: dict[str, int] = field(default_factory=dict)

    def file(self) -> bytes:
        self._add_tensors()
        source, sink = self._port(self.graph.input), self._port(self.graph.output)
        if self.graph.input.dtype == "float32":
            self.emit("QUANTIZE", [source], self.indices[self.graph.input.tensor])
        for node in self.graph.nodes:
            if node.op not in _RULES:
                self.fail(node, "cannot be written to a .tflite file")
            _RULES[node.op](self, node)
        if self.graph.output.dtype == "float32":
            self.emit("DEQUANTIZE", [self.indices[self.graph.output.tensor]], sink)
        model = FlatModel(
            self.graph.name, tuple(self.tensors), tuple(self.operators), (source,), (sink,)
        )
        return serialise(model, self.names)

    # ---- Tensors --------------------------------------------------------------------------------

    def _add_tensors(self) -> None:
        """Those that layers share, in the source's order; tables and shapes follow with layers."""
        layers = {n.inputs["w" if "w" in n.inputs else "w_frozen"]: n for n in self._weighted()}
        biases = {n.inputs["b"]: n for n in self._weighted() if "b" in n.inputs}
        others = {t for n in self._weighted() for t in weight_of(n)}
        others |= {n.inputs["table"] for n in self.graph.nodes if "table" in n.inputs}
        for tensor in sorted(self.graph.tensors.values(), key=lambda t: t.source_id):
            if tensor.name in layers:
                self._weights(layers[tensor.name], tensor.name)
            elif tensor.name in biases:
                self._bias(biases[tensor.name], tensor)
            elif tensor.name not in others:
                self._plain(tensor)

    def _weighted(self) -> list[Node]:
        return [n for n in self.graph.nodes if n.op in WEIGHTED]

    def _weights(self, node: Node, name: str) -> None:
        """All weights of a layer, its trained and frozen parts joined."""
        parts = [self.graph.tensors[t] for t in weight_of(node)]
        data = np.concatenate([_data(part) for part in parts], axis=-1)
        scales = weight_scales(self.graph, node)
        if len(set(scales)) == 1:
            scales = scales[:1]
        axis = {"conv2d": 0, "depthwise": 3, "fully_connected": 0}[node.op]
        if node.op == "depthwise":
            data = data[np.newaxis]
        self.indices[name] = self.add(
            name, "INT8", data.shape, Quant(scales, 0, axis if len(scales) > 1 else 0), data
        )

    def _bias(self, node: Node, tensor: Tensor) -> None:
        """Scaled as input times weights, which int32 biases are and the graph takes for granted."""
        x = self.quant(node.inputs["x"])
        scales = dict.fromkeys([float32(x.scale[0] * s) for s in weight_scales(self.graph, node)])
        every = [float32(x.scale[0] * s) for s in weight_scales(self.graph, node)]
        quant = Quant(tuple(scales) if len(scales) == 1 else tuple(every))
        self.indices[tensor.name] = self.add(
            tensor.name, "INT32", tensor.shape, quant, _data(tensor)
        )

    def _plain(self, tensor: Tensor) -> None:
        """An activation, or a constant in its place; without a scale it is a port's raw bytes."""
        ports = [p for p in (self.graph.input, self.graph.output) if p.tensor == tensor.name]
        raw = tensor.quant is None
        quant = ports[0].quant if raw and ports else tensor.quant
        kind = "UINT8" if raw else _TYPES[tensor.dtype]
        self.indices[tensor.name] = self.add(tensor.name, kind, tensor.shape, quant, tensor.data)

    def _port(self, port: Port) -> int:
        """The index of what the file itself takes in or hands out."""
        if port.dtype != "float32":
            return self.indices[port.tensor]
        shape = self.graph.tensors[port.tensor].shape
        return self.add(f"{port.tensor}_float", "FLOAT32", shape, None, None)

    def add(
        self, name: str, kind: str, shape: tuple[int, ...], quant: Quant | None, data: Array | None
    ) -> int:
        """Adds a tensor; its index."""
        index = len(self.tensors)
        scales = quant.scale if quant else ()
        zeros = (quant.zero,) * len(scales) if quant else ()
        raw = None if data is None else _raw(data)
        axis = quant.axis if quant else 0
        self.tensors.append(FlatTensor(index, kind, shape, scales, zeros, axis, raw, ""))
        self.names.append(name)
        return index

    def integers(self, node: Node, values: object) -> int:
        """Adds an int32 constant: axes, shapes, paddings."""
        data = np.asarray(values, np.int32)
        return self.add(f"{node.name}.integers", "INT32", data.shape, None, data)

    # ---- What rules ask -------------------------------------------------------------------------

    def fail(self, node: Node, text: str) -> NoReturn:
        raise ModelError(f"{self.graph.name}: layer {node.name} ({node.op}): {text}")

    def shape(self, name: str) -> tuple[int, ...]:
        return self.graph.tensors[name].shape

    def quant(self, name: str) -> Quant:
        quant = self.graph.tensors[name].quant
        assert quant is not None
        return quant

    def activation(self, node: Node, clip: Clip) -> int:
        """The number of the fused activation that clips so."""
        quant = self.quant(node.outputs["y"])
        number = next((n for n in ACTIVATIONS if bounds(n, quant) == clip), None)
        if number is None:
            self.fail(node, f"no activation of the format clips to [{clip.low}, {clip.high}]")
        return number

    def padding(self, node: Node, window: Window) -> int:
        """SAME or VALID."""
        if window.padding == (0, 0, 0, 0):
            return VALID
        size = self.shape(node.inputs["x"])[-3:-1]
        along = zip(size, window.kernel, window.stride, window.dilation, strict=True)
        (top, bottom), (left, right) = (same_padding(*side) for side in along)
        if window.padding != (top, left, bottom, right):
            self.fail(node, f"padding {window.padding} is neither SAME nor VALID")
        return SAME

    def emit(
        self, code: str, inputs: list[int], output: int, options: Options | None = None
    ) -> None:
        index = len(self.operators)
        self.operators.append(
            FlatOperator(index, code, tuple(inputs), (output,), dict(options or {}))
        )

    def put(
        self, code: str, node: Node, extra: list[int] | None = None, options: Options | None = None
    ) -> None:
        """The node as an operator: its activations, then `extra` constants."""
        inputs = [
            self.indices[t] for role, t in node.inputs.items() if role not in ("table", "w_frozen")
        ]
        self.emit(code, inputs + (extra or []), self.indices[node.outputs["y"]], options)


def _data(tensor: Tensor) -> Array:
    assert tensor.data is not None
    return tensor.data


def _raw(data: Array) -> npt.NDArray[np.uint8]:
    little = data.astype(data.dtype.newbyteorder("<"))
    return np.frombuffer(little.tobytes(), np.uint8)


# ---- Rules ---------------------------------------------------------------------------------------


def _weighted_inputs(to: _Writer, node: Node) -> list[int]:
    names = [node.inputs["x"], weight_of(node)[0]]
    return [to.indices[t] for t in (*names, *([node.inputs["b"]] if "b" in node.inputs else []))]


def _sliding(to: _Writer, node: Node) -> dict[str, Option]:
    """Options of convolutions and pools."""
    assert isinstance(node.attrs, WindowAttrs)
    window = node.attrs.window
    return {
        "Padding": to.padding(node, window),
        "StrideH": window.stride[0],
        "StrideW": window.stride[1],
        "FusedActivationFunction": to.activation(node, node.attrs.clip),
    }


def _convolution(to: _Writer, node: Node) -> None:
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


def _dense(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, DenseAttrs)
    options = {"FusedActivationFunction": to.activation(node, node.attrs.clip)}
    y = to.indices[node.outputs["y"]]
    to.emit("FULLY_CONNECTED", _weighted_inputs(to, node), y, options)


def _pool(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, WindowAttrs)
    options = _sliding(to, node)
    options["FilterHeight"], options["FilterWidth"] = node.attrs.window.kernel
    to.put({"max_pool": "MAX_POOL_2D"}.get(node.op, "AVERAGE_POOL_2D"), node, options=options)


def _mean(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, MeanAttrs)
    kept = len(to.shape(node.inputs["x"])) == len(to.shape(node.outputs["y"]))
    to.put("MEAN", node, [to.integers(node, node.attrs.axes)], {"KeepDims": kept})


def _add(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, ClipAttrs)
    to.put("ADD", node, options={"FusedActivationFunction": to.activation(node, node.attrs.clip)})


def _pad(to: _Writer, node: Node) -> None:
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


def _reshape(to: _Writer, node: Node) -> None:
    to.put("RESHAPE", node, [to.integers(node, to.shape(node.outputs["y"]))])


def _transpose(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, TransposeAttrs)
    to.put("TRANSPOSE", node, [to.integers(node, node.attrs.order)])


def _concatenate(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, AxisAttrs)
    to.put("CONCATENATION", node, options={"Axis": node.attrs.axis})


def _lookup(to: _Writer, node: Node) -> None:
    assert isinstance(node.attrs, LookupAttrs)
    if node.attrs.function not in _FUNCTIONS:
        to.fail(node, f"{node.attrs.function} with a constant cannot be written")
    leaky = node.attrs.function == "leaky_relu"
    to.put(node.attrs.function.upper(), node, options={"Alpha": node.attrs.alpha} if leaky else {})


def _softmax(to: _Writer, node: Node) -> None:
    table = _data(to.graph.tensors[node.inputs["table"]])
    plain = softmax_exponentials(to.quant(node.inputs["x"]).scale[0], 1.0)
    if not np.array_equal(table, plain):
        to.fail(node, "has a beta other than 1, which cannot be written")
    to.put("SOFTMAX", node, options={"Beta": 1.0})


_RULES: Mapping[str, Callable[[_Writer, Node], None]] = {
    "conv2d": _convolution,
    "depthwise": _convolution,
    "fully_connected": _dense,
    "average_pool": _pool,
    "max_pool": _pool,
    "mean": _mean,
    "add": _add,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "lookup": _lookup,
    "softmax": _softmax,
}
