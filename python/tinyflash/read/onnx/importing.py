"""The state of an import to a float network, and checked access to it for rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np

from tinyflash.errors import ModelError, printable, shortened
from tinyflash.graph import Array, NoAttrs, Quant, TransposeAttrs
from tinyflash.quantize.floatgraph import FloatNode, Source
from tinyflash.quantize.floatgraph.graph import UNBOUNDED, Bounds, FloatAttrs, Floats, Weights
from tinyflash.read.limits import LARGEST_CONSTANTS, LARGEST_MAPS, MOST_OPERATORS
from tinyflash.read.onnx.file import Attribute, OnnxModel, OnnxNode
from tinyflash.read.onnx.views import Shape, View, channels_last, dense, in_steps, move

_LARGEST_RANK = 8


@dataclass(frozen=True)
class Constant:
    """A known value. scales, axis: if the file has it quantized."""

    data: Array
    scales: tuple[float, ...] = ()
    axis: int = 0


Value = Constant | View


@dataclass
class Importer:
    """A network under construction. `values`: by their names in the file."""

    file: str
    model: OnnxModel
    values: dict[str, Value] = field(default_factory=dict)
    nodes: list[FloatNode] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)  # of tensors
    codings: dict[str, Quant] = field(default_factory=dict)
    stored: dict[str, str] = field(
        default_factory=dict
    )  # types that QuantizeLinear made, by tensor
    source: Source | None = None
    elements: int = 0  # of all tensors; one byte each when quantized
    weights: int = 0
    folded: int = 0  # elements of all computed constants

    def add(self, node: FloatNode) -> str:
        self.elements += math.prod(node.shape)
        self._bound(node, self.elements, LARGEST_MAPS, "elements")
        self.weights += 0 if node.weights is None else node.weights.w.size
        self._bound(node, self.weights, LARGEST_CONSTANTS, "weights")
        self._bound(node, len(self.nodes) + 1, MOST_OPERATORS, "layers")
        self.nodes.append(node)
        self.shapes[node.name] = node.shape
        return node.name

    def _bound(self, node: FloatNode, total: int, limit: int, what: str) -> None:
        if total > limit:
            raise ModelError(
                f"{self.file}: has more than {limit:,} {what} by {node.name}, far beyond any "
                "microcontroller"
            )


@dataclass(frozen=True)
class Layer:
    """One operator of the file during the import. Every error names it."""

    to: Importer
    node: OnnxNode

    # ---- Refusing -------------------------------------------------------------------------------

    def fail(self, text: str) -> NoReturn:
        raise ModelError(
            f"{self.to.file}: node {self.node.name} ({self.node.op}): {shortened(text)}"
        )

    def require(self, condition: bool, text: str) -> None:
        if not condition:
            self.fail(text)

    # ---- Operands -------------------------------------------------------------------------------

    @property
    def opset(self) -> int:
        return self.to.model.opset

    def has(self, position: int) -> bool:
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def value(self, position: int) -> Value:
        self.require(self.has(position), f"input {position} is missing")
        name = self.node.inputs[position]
        if name not in self.to.values:
            self.fail(f"reads {printable(name)!r}, which no earlier node computes")
        return self.to.values[name]

    def is_constant(self, position: int) -> bool:
        return self.has(position) and isinstance(self.value(position), Constant)

    def constant(self, position: int) -> Constant:
        value = self.value(position)
        if not isinstance(value, Constant):
            self.fail(f"input {position} must be a constant; it is computed at run time")
        return value

    def floats(self, position: int) -> Floats:
        """Returns a constant of finite numbers."""
        data = self.constant(position).data
        self.require(data.dtype.kind in "fiu", f"input {position} holds {data.dtype}")
        with np.errstate(over="ignore"):
            found = data.astype(np.float32)
        self.require(bool(np.isfinite(found).all()), f"input {position} holds infinite numbers")
        return found

    def integers(self, position: int, attribute: str = "") -> tuple[int, ...] | None:
        """Returns integers from an input, or from the attribute that older opsets have instead."""
        if self.has(position):
            data = self.constant(position).data
            self.require(data.dtype.kind in "iu", f"input {position} holds {data.dtype}")
            return tuple(int(i) for i in data.ravel())
        found = self.node.attributes.get(attribute)
        if found is None:
            return None
        self.require(isinstance(found, tuple), f"attribute {attribute} is not a list")
        return tuple(int(i) for i in found)  # type: ignore[union-attr]

    def view(self, position: int) -> View:
        """Returns an input computed at run time."""
        value = self.value(position)
        if not isinstance(value, View):
            self.fail(f"input {position} is a constant, which is not supported here")
        return value

    # ---- Attributes -----------------------------------------------------------------------------

    def attribute(self, name: str, default: Attribute) -> Attribute:
        """Returns an attribute of the same type as its default."""
        found = self.node.attributes.get(name, default)
        if isinstance(default, float) and isinstance(found, int):
            found = float(found)
        self.require(type(found) is type(default), f"attribute {name} is of the wrong type")
        return found

    def integer(self, name: str, default: int) -> int:
        return self.attribute(name, default)  # type: ignore[return-value]

    def real(self, name: str, default: float) -> float:
        found = self.attribute(name, default)
        self.require(math.isfinite(found), f"attribute {name} is not finite")  # type: ignore[arg-type]
        return found  # type: ignore[return-value]

    def text(self, name: str, default: str) -> str:
        return self.attribute(name, default)  # type: ignore[return-value]

    def whole(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        return self.attribute(name, default)  # type: ignore[return-value]

    def axis(self, index: int, rank: int) -> int:
        """Returns an axis counted from 0."""
        self.require(-rank <= index < rank, f"axis {index} of a value of {rank} dimensions")
        return index % rank

    # ---- Tensors --------------------------------------------------------------------------------

    def sized(self, shape: Sequence[int]) -> Shape:
        """Returns a shape. Rejects variable and implausibly large ones."""
        found = tuple(int(d) for d in shape)
        if any(d < 1 for d in found):
            self.fail(f"makes shape {list(found)}; only fixed shapes work")
        if math.prod(found) > LARGEST_MAPS or len(found) > _LARGEST_RANK:
            self.fail(f"makes shape {list(found)}, which is too large")
        return found

    def emit(
        self,
        op: str,
        inputs: Sequence[str],
        shape: Shape,
        attrs: FloatAttrs | None = None,
        weights: Weights | None = None,
        bounds: Bounds = UNBOUNDED,
    ) -> str:
        """Adds a node. Returns the name of its output."""
        self.require(shape[:1] == (1,), "works along the batch, which is not supported")
        name = f"{op}_{len(self.to.nodes)}"
        node = FloatNode(
            op, name, tuple(inputs), self.sized(shape), attrs or NoAttrs(), weights, bounds
        )
        return self.to.add(node)

    def shaped(self, tensor: str, shape: Shape) -> str:
        """Returns the tensor with another shape."""
        return tensor if self.to.shapes[tensor] == shape else self.emit("reshape", [tensor], shape)

    def held_as(self, value: View, target: View, shape: Shape) -> str:
        """Returns a tensor of `shape` that holds the value in the layout of `target`."""
        moved = move(value, target)
        if moved is None:  # through the value's own order, which splits into any shape
            first = dense("", value.shape)
            between = self.held_as(value, first, (1, *value.shape))
            return self.held_as(replace(first, tensor=between), target, shape)
        if moved.order == tuple(range(len(moved.order))):
            return self.shaped(value.tensor, shape)
        x = value.tensor
        for step in in_steps(moved):
            x = self.shaped(x, (1, *step.sizes))
            order = (0, *(i + 1 for i in step.order))
            sizes = (1, *(step.sizes[i] for i in step.order))
            x = self.emit("transpose", [x], sizes, TransposeAttrs(order))
        return self.shaped(x, shape)

    def map_of(self, position: int) -> tuple[str, Shape]:
        """Returns the channels-last tensor of an input (1, channels, height, width) or (1,
        channels, width), and its shape (1, height, width, channels)."""
        value = self.view(position)
        self.require(
            len(value.shape) in (3, 4),
            f"reads shape {list(value.shape)}; maps over one or two dimensions are supported",
        )
        self.require(value.shape[0] == 1, f"batch {value.shape[0]}; only batch 1 is supported")
        channels, *sides = value.shape[1:]
        height, width = sides if len(sides) == 2 else (1, *sides)
        self.require(
            max(height, width, channels) < 2**16, f"map {list(value.shape)} has a side beyond 65535"
        )
        shape = (1, height, width, channels)
        return self.held_as(value, channels_last("", value.shape), shape), shape

    # ---- Results --------------------------------------------------------------------------------

    def give(self, value: Value, position: int = 0) -> None:
        """Sets one of the node's outputs."""
        self.require(position < len(self.node.outputs), "has no output")
        name = self.node.outputs[position]
        if not name:
            return  # nobody reads it
        self.require(name not in self.to.values, f"computes {printable(name)!r} again")
        self.to.values[name] = value

    def give_map(self, tensor: str, like: Shape) -> None:
        """Sets the output to a map (1, height, width, channels), in the model's layout and the rank
        of `like`."""
        _, height, width, channels = self.to.shapes[tensor]
        sides = (height, width) if len(like) == 4 else (width,)
        self.give(channels_last(tensor, (1, channels, *sides)))

    def each(
        self,
        op: str,
        x: View,
        attrs: FloatAttrs | None = None,
        weights: Weights | None = None,
        bounds: Bounds = UNBOUNDED,
    ) -> View:
        """Sets the output to a function of each element, in the layout of x."""
        y = self.emit(op, [x.tensor], self.to.shapes[x.tensor], attrs, weights, bounds)
        return View(y, x.axes)

    def compacted(self, value: View, order: Sequence[int]) -> tuple[View, int]:
        """Returns the value in a tensor with one dimension for each axis, in `order`, and the
        number of dimensions of 1 before these."""
        shape = tuple(value.shape[i] for i in order)
        lead = 0 if shape[:1] == (1,) and len(shape) > 1 else 1  # a batch alone is no row
        target = dense("", value.shape, order)
        return replace(target, tensor=self.held_as(value, target, (1,) * lead + shape)), lead
