"""Builds the graph: turns each float node, with its tensors' codings, into an int8 node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NoReturn

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.graph import (
    Array,
    Attrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Graph,
    LookupAttrs,
    NoAttrs,
    Node,
    PadAttrs,
    Port,
    Quant,
    SoftmaxAttrs,
    Tensor,
    Window,
    WindowAttrs,
)
from tinyflash.operators import OPERATORS
from tinyflash.quantize import tables
from tinyflash.quantize.curves import CURVES, tabulated
from tinyflash.quantize.fixedpoint import round_half_away
from tinyflash.quantize.floatgraph.graph import (
    FUNCTIONS,
    Bounds,
    Factor,
    Filling,
    FloatGraph,
    FloatNode,
)
from tinyflash.quantize.tables import Coding, Table
from tinyflash.quantize.weights import stored_weights
from tinyflash.quantize.windows import clip_between


class Builder:
    """Turns a network whose tensors all have codings into a graph."""

    def __init__(self, network: FloatGraph, codings: Mapping[str, Quant]) -> None:
        self._network = network
        self._codings = codings
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._activation(network.source.name, network.source.shape)
        for node in network.nodes:
            try:
                self._add(node)
            except ValueError as error:
                self._fail(node, str(error))

    def graph(self, ends: Literal["float32", "int8"]) -> Graph:
        """Returns the graph. ends: the types of its input and output."""
        source, sink = (self._tensors[n] for n in (self._network.source.name, self._network.output))
        opened, closed = (Port(t.name, ends, t.shape, t.quant) for t in (source, sink))
        return Graph(self._network.name, self._tensors, tuple(self._nodes), opened, closed)

    def _fail(self, node: FloatNode, text: str) -> NoReturn:
        raise ModelError(f"{self._network.name}: layer {node.name} ({node.op}): {text}")

    # ---- Nodes ----------------------------------------------------------------------------------

    def _add(self, node: FloatNode) -> None:
        op = "lookup" if node.op in FUNCTIONS else node.op
        constant = op == "prelu"  # of its operands, one that no node makes
        roles = OPERATORS[op].operands(len(node.inputs) + constant)
        inputs = dict(zip(roles, node.inputs, strict=not constant))
        y = self._codings[node.name]
        if OPERATORS[op].weighted:
            inputs.update(self._weights(node))
            attrs = self._weighted_attrs(node, y)
        elif op == "prelu":
            inputs["alpha"] = self._slopes(node)
            attrs = _plain_attrs(node, y)
        elif op in ("softmax", "log_softmax"):
            table = self._table_of(node, _softmax(node, self._codings[node.inputs[0]]))
            inputs["table"] = table
            assert isinstance(node.attrs, Factor)
            attrs = SoftmaxAttrs(node.attrs.value) if op == "softmax" else NoAttrs()
        elif op == "lookup":
            attrs, stored = _lookup(node, _coding(self._codings[node.inputs[0]]), _coding(y))
            inputs["table"] = self._table_of(node, stored)
        else:
            attrs = _plain_attrs(node, y)
        self._activation(node.name, node.shape)
        self._nodes.append(Node(op, node.name, inputs, {"y": node.name}, attrs))

    def _weighted_attrs(self, node: FloatNode, y: Quant) -> Attrs:
        clip = _clip(node.bounds, y)
        if node.op == "fully_connected":
            return DenseAttrs(clip)
        if node.op == "depthwise":
            return WindowAttrs(node.window, clip)
        channels = self._tensors[node.inputs[0]].shape[-1]
        return WindowAttrs(node.window, clip, groups=channels // node.learned.w.shape[-1])

    def _weights(self, node: FloatNode) -> dict[str, str]:
        """Adds weights and bias. Returns their names by role."""
        w, b, quant = stored_weights(node, self._codings[node.inputs[0]])
        return {
            "w_frozen": self._constant(f"{node.name}.w", w, "int8", quant),
            "b": self._constant(f"{node.name}.b", b, "int32"),
        }

    def _slopes(self, node: FloatNode) -> str:
        """Adds the slopes of a PReLU, with one scale for all of them. Returns their name."""
        slopes = node.learned.w
        scale = max(float(np.abs(slopes).max()), 1e-30) / 127
        quant = Quant((float(np.float32(scale)),), 0)
        stored = np.clip(np.rint(slopes / quant.scale[0]), -127, 127).astype(np.int8)
        return self._constant(f"{node.name}.alpha", stored, "int8", quant)

    # ---- Tensors --------------------------------------------------------------------------------

    def _table_of(self, node: FloatNode, table: Array) -> str:
        kind: Literal["int8", "int32"] = "int8" if table.dtype.itemsize == 1 else "int32"
        return self._constant(f"{node.name}.table", table, kind)

    def _constant(
        self, name: str, data: Array, kind: Literal["int8", "int32"], quant: Quant | None = None
    ) -> str:
        return self._keep(Tensor(name, data.shape, kind, "constant", quant, data, self._next_id))

    def _activation(self, name: str, shape: tuple[int, ...]) -> str:
        quant = self._codings[name]
        return self._keep(Tensor(name, shape, "int8", "activation", quant, None, self._next_id))

    @property
    def _next_id(self) -> int:
        return len(self._tensors)

    def _keep(self, tensor: Tensor) -> str:
        self._tensors[tensor.name] = tensor
        return tensor.name


def _coding(quant: Quant) -> Coding:
    return Coding(quant.scale[0], quant.zero)


def _clip(bounds: Bounds, quant: Quant) -> Clip:
    """Returns the fused activation in stored integers."""
    low, high = (None if math.isinf(end) else end for end in bounds)
    return clip_between(low, high, quant)


def _plain_attrs(node: FloatNode, y: Quant) -> Attrs:
    """Returns the attributes of operators without weights and tables."""
    if isinstance(node.attrs, Window):
        return WindowAttrs(node.window, _clip(node.bounds, y))
    if isinstance(node.attrs, Filling):
        stored = round_half_away(node.attrs.value / y.scale[0]) + y.zero
        return PadAttrs(node.attrs.before, node.attrs.after, max(-128, min(127, stored)))
    if OPERATORS[node.op].clipped:
        return ClipAttrs(_clip(node.bounds, y))
    assert not isinstance(node.attrs, Factor)
    return node.attrs if node.op != "reshape" else NoAttrs()


# ---- Tables -------------------------------------------------------------------------------------


def _softmax(node: FloatNode, x: Quant) -> Array:
    assert isinstance(node.attrs, Factor)
    return tables.softmax_exponentials(x.scale[0], node.attrs.value)


def _lookup(node: FloatNode, x: Coding, y: Coding) -> tuple[LookupAttrs, Table]:
    """Returns the function by its name in the format, and its table."""
    if node.op == "identity":
        return _bounded(node.bounds, x, y)
    if node.op == "leaky_relu":
        assert isinstance(node.attrs, Factor)
        alpha = node.attrs.value
        return LookupAttrs("leaky_relu", alpha), tables.leaky_relu(x, y, alpha)
    if node.op in CURVES:
        alpha = node.attrs.value if isinstance(node.attrs, Factor) else 0.0
        return LookupAttrs(node.op, alpha), tabulated(node.op, x, y, alpha)
    made = {"logistic": tables.logistic, "tanh": tables.tanh, "hard_swish": tables.hard_swish}
    return LookupAttrs(node.op), made[node.op](x, y)


def _bounded(bounds: Bounds, x: Coding, y: Coding) -> tuple[LookupAttrs, Table]:
    """ReLU and similar functions."""
    if bounds == (0.0, 6.0) and x == y:
        return LookupAttrs("relu6"), tables.relu6(x, y)
    clip = _clip(bounds, Quant((y.scale,), y.zero))
    relu = bounds[0] == 0
    if clip.high < 127 or (clip.low > -128 and not relu):
        table = np.clip(tables.requantize(x, y), clip.low, clip.high)
        return LookupAttrs("quantize", clip=clip), table
    if relu:
        return LookupAttrs("relu"), tables.relu(x, y)
    return LookupAttrs("quantize"), tables.requantize(x, y)
