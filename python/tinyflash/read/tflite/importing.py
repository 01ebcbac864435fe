"""The state of an import to a graph, and checked access to it for operators' rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NoReturn

import numpy as np

from tinyflash.errors import ModelError, shortened
from tinyflash.graph import Array, Attrs, NoAttrs, Node, Port, Quant, Tensor
from tinyflash.quantize.tables import Coding
from tinyflash.read.limits import LARGEST_CONSTANTS, LARGEST_MAPS
from tinyflash.read.tflite.flat import FlatModel, FlatOperator, FlatTensor, Option

Shape = tuple[int, ...]

_OWN = "a float one with tinyflash quantize MODEL --calibration X.npy"
_ADVICE = "convert the model with full-integer int8 quantization"
_DTYPES = {
    "FLOAT16": "<f2", "FLOAT32": "<f4", "INT8": "i1", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1",
}  # fmt: skip
_INTEGERS = ("INT8", "INT32", "INT64")


@dataclass
class Importer:
    """A graph under construction. `activations` and `constants`: by tensor index of the file."""

    file: str
    model: FlatModel
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    activations: dict[int, Tensor] = field(default_factory=dict)
    constants: dict[int, Array] = field(default_factory=dict)
    input: Port | None = None
    output: Port | None = None
    map_bytes: int = 0
    constant_bytes: int = 0

    def add(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = tensor
        if tensor.data is None:
            self.map_bytes += tensor.nbytes
            self._bound(self.map_bytes, LARGEST_MAPS, "feature maps")
        else:
            self.constant_bytes += tensor.nbytes
            self._bound(self.constant_bytes, LARGEST_CONSTANTS, "weights and tables")
        return tensor

    def _bound(self, total: int, limit: int, what: str) -> None:
        if total > limit:
            raise ModelError(
                f"{self.file}: its {what} take more than {limit:,} bytes in all, far beyond any "
                "microcontroller; such a network is not read"
            )


@dataclass(frozen=True)
class Layer:
    """One operator of the file during the import. Every error names it."""

    to: Importer
    operator: FlatOperator
    name: str

    # ---- Refusing -------------------------------------------------------------------------------

    def fail(self, text: str) -> NoReturn:
        text = shortened(text)
        raise ModelError(f"{self.to.file}: layer {self.name} ({self.operator.code}): {text}")

    def require(self, condition: bool, text: str) -> None:
        if not condition:
            self.fail(text)

    # ---- Operands -------------------------------------------------------------------------------

    def option(self, name: str, default: Option | None = None) -> Option:
        """Returns a field of the operator's options. Without a default, they must exist."""
        value = self.operator.options.get(name, default)
        if value is None:
            self.fail("carries no options; the file is damaged")
        return value

    def count(self, *allowed: int) -> None:
        """Rejects any other number of inputs, or several outputs."""
        inputs = len(self.operator.inputs)
        self.require(inputs in allowed, f"has {inputs} inputs, expected {allowed[0]}")

    def _flat(self, index: int) -> FlatTensor:
        tensors = self.to.model.tensors
        self.require(0 <= index < len(tensors), f"refers to tensor {index}, which is not there")
        return tensors[index]

    def has_input(self, position: int) -> bool:
        inputs = self.operator.inputs
        return position < len(inputs) and inputs[position] >= 0

    def flat_input(self, position: int) -> FlatTensor:
        self.require(self.has_input(position), f"input {position} is missing")
        return self._flat(self.operator.inputs[position])

    @property
    def flat_output(self) -> FlatTensor:
        outputs = [o for o in self.operator.outputs if o not in self.operator.unread]
        self.require(len(outputs) == 1, f"has {len(outputs)} outputs, one is supported")
        return self._flat(outputs[0])

    def is_constant(self, position: int) -> bool:
        flat = self.flat_input(position)
        return flat.index in self.to.constants or flat.data is not None

    def constant(self, position: int, types: tuple[str, ...] = _INTEGERS) -> Array:
        """Returns a constant input, in the file's shape."""
        flat = self.flat_input(position)
        if flat.index in self.to.constants:
            return self.to.constants[flat.index]
        if flat.data is None:
            self.fail(f"input {position} must be a constant; it is computed at run time")
        self.usual(flat)
        self.require(flat.type in types, f"constant input {position} is {flat.type}; {_ADVICE}")
        dtype = np.dtype(_DTYPES[flat.type])
        shape = self.shape(flat, empty=True)
        needed = math.prod(shape) * dtype.itemsize
        if needed != flat.data.size:
            self.fail(f"constant input {position} has {flat.data.size} bytes, its shape {needed}")
        return flat.data.view(dtype).reshape(shape)

    def numbers(self, position: int, most: int = 16) -> list[int]:
        """Returns a constant input of a few integers: axes, an order."""
        values = self.constant(position).ravel()
        self.require(values.size <= most, f"input {position} has {values.size} numbers")
        self.require(values.dtype.kind in "iu", f"input {position} holds {values.dtype}")
        return [int(v) for v in values]

    def activation(self, position: int, types: tuple[str, ...] = ("INT8",)) -> Tensor:
        """Returns an input computed at run time, or the network's own input."""
        flat = self.flat_input(position)
        self.typed(flat, types)
        if flat.index not in self.to.activations:
            if self.is_constant(position):
                self.fail(f"input {position} is a constant, which is not supported here")
            self.fail(f"reads tensor {flat.index}, which no earlier layer computes")
        return self.to.activations[flat.index]

    def typed(self, flat: FlatTensor, types: tuple[str, ...]) -> None:
        """Rejects a tensor of any other type, and says what the user can do."""
        self.usual(flat)
        if flat.type in types:
            return
        if flat.type.startswith("FLOAT"):
            self.fail(f"works in {flat.type}: a float or partly float model; {_ADVICE}, or {_OWN}")
        self.fail(f"uses {flat.type} where {' or '.join(types)} is supported; {_ADVICE}")

    def usual(self, flat: FlatTensor) -> None:
        self.require(not flat.unusual, f"uses {flat.unusual}, which is not supported")

    def shape(self, flat: FlatTensor, *, empty: bool = False) -> Shape:
        """Returns the file's shape, with every dimension at least 1 (0 if `empty`)."""
        if any(d < (0 if empty else 1) for d in flat.shape):
            self.fail(f"tensor {flat.index} has shape {list(flat.shape)}; only fixed shapes work")
        if len(flat.shape) > 6:
            self.fail(f"tensor {flat.index} has {len(flat.shape)} dimensions; 6 are supported")
        if math.prod(flat.shape) > LARGEST_MAPS:
            self.fail(f"tensor {flat.index} has shape {list(flat.shape)}, which is too large")
        return flat.shape

    def map_shape(self, flat: FlatTensor) -> tuple[int, int, int]:
        """Returns (height, width, channels) of a map of batch 1."""
        shape = self.shape(flat)
        self.require(len(shape) == 4, f"needs a map of 4 dimensions, got shape {list(shape)}")
        self.require(shape[0] == 1, f"batch {shape[0]}; only batch 1 is supported")
        self.require(max(shape) < 2**16, f"map {list(shape)} has a side beyond 65535")
        return shape[1], shape[2], shape[3]

    # ---- Quantization ---------------------------------------------------------------------------

    def scales(self, flat: FlatTensor, *, silent: bool = False) -> tuple[float, ...]:
        """Returns the scales of a tensor. silent: 0 may be among them."""
        if not flat.scales:
            self.fail(f"tensor {flat.index} has no quantization; {_ADVICE}")
        if len(flat.zeros) not in (0, len(flat.scales)):
            self.fail(
                f"tensor {flat.index} has {len(flat.scales)} scales and {len(flat.zeros)} zero "
                "points; the file is damaged"
            )
        for scale in flat.scales:
            if not (math.isfinite(scale) and (scale > 0 or (silent and scale == 0))):
                self.fail(f"tensor {flat.index} has scale {scale}; scales are finite and positive")
        return flat.scales

    def quant(self, flat: FlatTensor) -> Quant:
        """Returns the single scale and zero point of an activation."""
        scales = self.scales(flat)
        zero = flat.zeros[0] if flat.zeros else 0
        low, high = (0, 255) if flat.type == "UINT8" else (-128, 127)
        self.require(len(scales) == 1, f"tensor {flat.index} has {len(scales)} scales, expected 1")
        self.require(
            low <= zero <= high,
            f"tensor {flat.index} has zero point {zero}, expected one in [{low}, {high}]",
        )
        return Quant(scales, zero)

    def coding(self, flat: FlatTensor) -> Coding:
        quant = self.quant(flat)
        return Coding(quant.scale[0], quant.zero, "uint8" if flat.type == "UINT8" else "int8")

    # ---- Results --------------------------------------------------------------------------------

    def claim(self) -> None:
        """Rejects a layer if its output already exists."""
        flat = self.flat_output
        made = flat.index in self.to.activations or flat.index in self.to.constants
        self.require(not made, f"computes tensor {flat.index} again")
        self.require(flat.data is None, f"computes tensor {flat.index}, which is a constant")
        self.require(
            flat.index not in self.to.model.inputs, f"computes tensor {flat.index}, which is given"
        )

    def constant_tensor(
        self, role: str, data: Array, quant: Quant | None = None, source: int = -1
    ) -> Tensor:
        """Adds a constant to the graph."""
        dtypes: dict[str, Literal["int8", "int32"]] = {"int8": "int8", "int32": "int32"}
        return self.to.add(
            Tensor(
                name=f"{self.name}.{role}",
                shape=data.shape,
                dtype=dtypes[data.dtype.name],
                kind="constant",
                quant=quant,
                data=np.ascontiguousarray(data),
                source_id=source,
            )
        )

    def constant_operand(self, position: int, shape: Shape | None = None) -> Tensor:
        """Returns an int8 constant operand in place of an activation, repeated to `shape` if
        given."""
        flat = self.flat_input(position)
        self.typed(flat, ("INT8",))
        data = self.constant(position)
        data = (data if shape is None else np.broadcast_to(data, shape)).astype(np.int8)
        return self.constant_tensor(f"c{position}", data, self.quant(flat), flat.index)

    def between(
        self,
        part: str,
        op: str,
        x: Tensor,
        shape: Shape,
        attrs: Attrs | None = None,
        *,
        more: Mapping[str, Tensor] = MappingProxyType({}),
        quant: Quant | None = None,
    ) -> Tensor:
        """Adds a node on the way to this layer's output, and returns its y, which has the unit of
        x unless it is given. more: constants that it reads, by role."""
        name = f"{self.name}.{part}"
        y = self.to.add(Tensor(f"{name}.y", shape, "int8", "activation", quant or x.quant))
        inputs = {"x": x.name, **{role: tensor.name for role, tensor in more.items()}}
        self.to.nodes.append(Node(op, name, inputs, {"y": y.name}, attrs or NoAttrs()))
        return y

    def emit(self, op: str, inputs: Mapping[str, Tensor], attrs: Attrs | None = None) -> None:
        """Adds the node that computes this layer's output.

        A uint8 output, at an end of the network, is int8 to the graph: raw bytes, without a scale.
        """
        flat = self.flat_output
        self.typed(flat, ("INT8", "UINT8") if op == "lookup" else ("INT8",))
        y = Tensor(
            name=f"{self.name}.y",
            shape=self.shape(flat),
            dtype="int8",
            kind="activation",
            quant=None if flat.type == "UINT8" else self.quant(flat),
            source_id=flat.index,
        )
        self.to.activations[flat.index] = self.to.add(y)
        names = {role: tensor.name for role, tensor in inputs.items()}
        self.to.nodes.append(Node(op, self.name, names, {"y": y.name}, attrs or NoAttrs()))
