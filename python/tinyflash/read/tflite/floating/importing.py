"""The state of an import to a float network, and checked access to it for operators' rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyflash.errors import ModelError
from tinyflash.graph import Array
from tinyflash.quantize.floatgraph.graph import (
    NOTHING,
    UNBOUNDED,
    Bounds,
    FloatAttrs,
    FloatNode,
    Floats,
    Source,
    Weights,
)
from tinyflash.quantize.windows import ACTIVATIONS
from tinyflash.read.limits import LARGEST_CONSTANTS, LARGEST_MAPS
from tinyflash.read.tflite.flat import FlatTensor
from tinyflash.read.tflite.importing import Importer, Layer, Shape

_CONSTANTS = ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT32", "INT64")


@dataclass
class FloatImporter(Importer):
    """A float network under construction. `held`: the names of tensors, by index of the file."""

    made: list[FloatNode] = field(default_factory=list)
    held: dict[int, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)  # of tensors, with a batch of 1
    source: Source | None = None
    elements: int = 0

    def keep(self, node: FloatNode) -> str:
        self.elements += math.prod(node.shape)
        weights = 0 if node.weights is None else node.weights.w.size
        self.constant_bytes += weights
        if self.elements > LARGEST_MAPS or self.constant_bytes > LARGEST_CONSTANTS:
            raise ModelError(f"{self.file}: is far beyond any microcontroller; it is not read")
        self.made.append(node)
        self.shapes[node.name] = node.shape
        return node.name


@dataclass(frozen=True)
class FloatLayer(Layer):
    """One operator of a float file during the import."""

    to: FloatImporter

    # ---- Operands -------------------------------------------------------------------------------

    def constant(self, position: int, types: tuple[str, ...] = _CONSTANTS) -> Array:
        return super().constant(position, types)

    def tensor(self, position: int) -> str:
        """Returns the name of an input computed at run time."""
        flat = self.flat_input(position)
        self.usual(flat)
        if flat.index not in self.to.held:
            if self.is_constant(position):
                self.fail(f"input {position} is a constant, which is not supported here")
            self.fail(f"reads tensor {flat.index}, which no earlier layer computes")
        return self.to.held[flat.index]

    def is_run(self, position: int) -> bool:
        """Whether an input is computed at run time."""
        return self.flat_input(position).index in self.to.held

    def reals(self, position: int) -> tuple[Floats, tuple[float, ...], int]:
        """Returns a constant of finite real numbers. If the file has it quantized with a zero point
        of 0, also its scales, and their axis."""
        flat = self.flat_input(position)
        data = self.constant(position)
        scales: tuple[float, ...] = ()
        if data.dtype.kind in "iu" and flat.scales:
            scales = self.scales(flat, silent=True)
            zeros = np.array(flat.zeros or [0] * len(scales), np.int64)
            sides = [1] * data.ndim
            if len(scales) > 1:
                self.require(
                    0 <= flat.axis < data.ndim and data.shape[flat.axis] == len(scales),
                    f"tensor {flat.index} has {len(scales)} scales for shape {list(data.shape)}",
                )
                sides[flat.axis] = -1
            real = (data.astype(np.int64) - zeros.reshape(sides)) * np.array(scales).reshape(sides)
            scales = () if zeros.any() or data.dtype != np.int8 or 0 in scales else scales
        else:
            real = data
        with np.errstate(invalid="ignore", over="ignore"):
            found = real.astype(np.float32)
        self.require(bool(np.isfinite(found).all()), f"input {position} holds infinite numbers")
        return found, scales, flat.axis if len(scales) > 1 else 0

    def batched(self, flat: FlatTensor) -> Shape:
        """Returns the file's shape with a batch of 1."""
        shape = self.shape(flat)
        return shape if shape[:1] == (1,) and len(shape) > 1 else (1, *shape)

    def lead(self, flat: FlatTensor) -> int:
        """Returns how many dimensions a tensor here has before those of the file."""
        return len(self.batched(flat)) - len(self.shape(flat))

    # ---- Results --------------------------------------------------------------------------------

    def bounds(self) -> Bounds:
        """Returns the bounds of the fused activation."""
        activation = int(self.option("FusedActivationFunction", 0))
        if activation not in ACTIVATIONS:
            self.fail(f"fused activation number {activation} is not supported")
        low, high = ACTIVATIONS[activation]
        return (-math.inf if low is None else low, math.inf if high is None else high)

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        shape: Shape,
        attrs: FloatAttrs = NOTHING,
        weights: Weights | None = None,
        bounds: Bounds = UNBOUNDED,
    ) -> str:
        """Adds a node. Returns the name of its tensor."""
        name = f"{op}_{len(self.to.made)}"
        return self.to.keep(FloatNode(op, name, tuple(inputs), shape, attrs, weights, bounds))

    def give(self, tensor: str) -> None:
        """Makes a tensor the operator's output."""
        flat = self.flat_output
        self.usual(flat)
        self.require(flat.type == "FLOAT32", f"makes {flat.type}; float32 is supported")
        shape, found = self.batched(flat), self.to.shapes[tensor]
        self.require(
            math.prod(shape) == math.prod(found),
            f"output shape {list(flat.shape)} does not follow from the input's",
        )
        self.to.held[flat.index] = (
            tensor if shape == found else self.node("reshape", [tensor], shape)
        )
