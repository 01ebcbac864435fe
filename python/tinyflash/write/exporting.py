"""The state of an export, and the queries of the operators' rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tinyflash.errors import InternalError, ModelError
from tinyflash.graph import Array, Clip, Graph, Node, Port, Quant, Tensor, Window
from tinyflash.layers import weight_of, weight_scales
from tinyflash.quantize.fixedpoint import float32
from tinyflash.quantize.windows import ACTIVATIONS, SAME, VALID, bounds, same_padding
from tinyflash.read.tflite.flat import FlatOperator, FlatTensor, Option

Options = Mapping[str, Option]

_TYPES = {"int8": "INT8", "uint8": "UINT8", "int32": "INT32", "float32": "FLOAT32"}


@dataclass
class Exporter:
    """A file under construction. `indices`: of the graph's tensors in it. `bounded`: tensors whose
    operator is still to come, and bounds that follow it. Every error names a layer."""

    graph: Graph
    tensors: list[FlatTensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    operators: list[FlatOperator] = field(default_factory=list)
    indices: dict[str, int] = field(default_factory=dict)
    bounded: dict[int, Clip] = field(default_factory=dict)

    # ---- Tensors --------------------------------------------------------------------------------

    def add_tensors(self) -> None:
        """Adds the tensors that layers share, in the source's order. Layers add tables and shapes
        later."""
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
        return [n for n in self.graph.nodes if n.operator.weighted]

    def _weights(self, node: Node, name: str) -> None:
        """Adds all weights of a layer, its trained and frozen parts joined."""
        parts = [self.graph.tensors[t] for t in weight_of(node)]
        data = np.concatenate([data_of(part) for part in parts], axis=-1)
        if node.operator.depthwise:
            data = data[np.newaxis]
        scales = self._scales(node)
        axis = data.ndim - 1 if node.operator.depthwise and len(scales) > 1 else 0
        self.indices[name] = self.add(name, "INT8", data.shape, Quant(scales, 0, axis), data)

    def _bias(self, node: Node, tensor: Tensor) -> None:
        """Adds a bias with the scale of input times weights, which the graph implies."""
        x_scale = self.quant(node.inputs["x"]).scale[0]
        scales = tuple(float32(x_scale * s) for s in self._scales(node))
        data = data_of(tensor)
        self.indices[tensor.name] = self.add(
            tensor.name, "INT32", tensor.shape, Quant(scales), data
        )

    def _scales(self, node: Node) -> tuple[float, ...]:
        """Returns the scales of a layer's weights: one if all parts have the same one. A single
        scale has other arithmetic than one per channel."""
        first, *others = [self.quant(t).scale for t in weight_of(node)]
        if len(first) == 1 and all(other == first for other in others):
            return first
        return weight_scales(self.graph, node)

    def _plain(self, tensor: Tensor) -> None:
        """Adds an activation, or a constant operand. Without a scale it is a port's raw bytes."""
        ports = [p for p in (self.graph.input, self.graph.output) if p.tensor == tensor.name]
        raw = tensor.quant is None
        quant = ports[0].quant if raw and ports else tensor.quant
        kind = "UINT8" if raw else _TYPES[tensor.dtype]
        self.indices[tensor.name] = self.add(tensor.name, kind, tensor.shape, quant, tensor.data)

    def port(self, port: Port) -> int:
        """Returns the tensor index of the file's input or output."""
        if port.dtype != "float32":
            return self.indices[port.tensor]
        shape = self.graph.tensors[port.tensor].shape
        return self.add(f"{port.tensor}_float", "FLOAT32", shape, None, None)

    def add(
        self, name: str, kind: str, shape: tuple[int, ...], quant: Quant | None, data: Array | None
    ) -> int:
        """Adds a tensor. Returns its index."""
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

    # ---- Queries --------------------------------------------------------------------------------

    def fail(self, node: Node, text: str) -> NoReturn:
        raise ModelError(f"{self.graph.name}: layer {node.name} ({node.op}): {text}")

    def shape(self, name: str) -> tuple[int, ...]:
        return self.graph.tensors[name].shape

    def quant(self, name: str) -> Quant:
        quant = self.graph.tensors[name].quant
        if quant is None:
            raise InternalError(f"tensor {name} has no scale")
        return quant

    def activation(self, node: Node, clip: Clip) -> int:
        """Returns the number of the fused activation with this clip. If there is none, bounds
        follow the node's operator."""
        quant = self.quant(node.outputs["y"])
        number = next((n for n in ACTIVATIONS if bounds(n, quant) == clip), None)
        if number is None:
            self.bounded[self.indices[node.outputs["y"]]] = clip
            return 0
        return number

    def bound(self, name: str, x: int, y: int, clip: Clip) -> None:
        """Adds a MINIMUM or a MAXIMUM with a constant, or both, from x to y, which have one
        coding."""
        ends = [("MINIMUM", clip.high)] if clip.high < 127 else []
        ends += [("MAXIMUM", clip.low)] if clip.low > -128 else []
        like = self.tensors[y]
        quant = Quant(like.scales, like.zeros[0])
        for i, (code, end) in enumerate(ends):
            last = i == len(ends) - 1
            to = y if last else self.add(f"{name}.{code.lower()}", "INT8", like.shape, quant, None)
            number = self.add(
                f"{name}.{code.lower()}.number", "INT8", (1,), quant, np.array([end], np.int8)
            )
            self.operator(code, [x, number], to)
            x = to

    def padding(self, node: Node, window: Window) -> int | None:
        """Returns SAME or VALID, None if it is neither."""
        if window.padding == (0, 0, 0, 0):
            return VALID
        size = self.shape(node.inputs["x"])[-3:-1]
        along = zip(size, window.kernel, window.stride, window.dilation, strict=True)
        (top, bottom), (left, right) = (same_padding(*side) for side in along)
        return SAME if window.padding == (top, left, bottom, right) else None

    def emit(
        self, code: str, inputs: list[int], output: int, options: Options | None = None
    ) -> None:
        """Adds an operator, and the bounds of its output that no fused activation has."""
        clip = self.bounded.pop(output, None)
        if clip is None:
            self.operator(code, inputs, output, options)
            return
        like, name = self.tensors[output], self.names[output]
        quant = Quant(like.scales, like.zeros[0])
        wide = self.add(f"{name}.unbounded", "INT8", like.shape, quant, None)
        self.operator(code, inputs, wide, options)
        self.bound(name, wide, output, clip)

    def operator(
        self, code: str, inputs: list[int], output: int, options: Options | None = None
    ) -> None:
        index = len(self.operators)
        self.operators.append(
            FlatOperator(index, code, tuple(inputs), (output,), dict(options or {}))
        )

    def put(
        self, code: str, node: Node, extra: list[int] | None = None, options: Options | None = None
    ) -> None:
        """Adds the node as an operator: its activations, then `extra` constants."""
        inputs = [
            self.indices[t] for role, t in node.inputs.items() if role not in ("table", "w_frozen")
        ]
        self.emit(code, inputs + (extra or []), self.indices[node.outputs["y"]], options)


def data_of(tensor: Tensor) -> Array:
    """Returns the stored values of a constant or a trainable."""
    if tensor.data is None:
        raise InternalError(f"tensor {tensor.name} has no data")
    return tensor.data


def _raw(data: Array) -> npt.NDArray[np.uint8]:
    little = data.astype(data.dtype.newbyteorder("<"))
    return np.frombuffer(little.tobytes(), np.uint8)
