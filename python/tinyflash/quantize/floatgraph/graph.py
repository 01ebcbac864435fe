"""The float form of a network: nodes in execution order. Each computes one tensor with its name.

`OPERATORS` has the network operators of operators.py, and some that passes or the quantizer turn
into these. Maps are (1, height, width, channels).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyflash import operators
from tinyflash.graph import AxisAttrs, MeanAttrs, NoAttrs, Quant, TakeAttrs, TransposeAttrs, Window
from tinyflash.quantize.curves import CURVES

Floats = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Bounds = tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)
# Functions of one element: a lookup in the int8 graph.
FUNCTIONS = (
    "logistic",
    "tanh",
    "hard_swish",
    "leaky_relu",
    *CURVES,
    "identity",  # with bounds: ReLU and similar; without: the same numbers in another coding
)

OPERATORS = (
    *(name for name in operators.NETWORK if name not in ("source", "lookup")),
    *FUNCTIONS,
    "scale",  # weights.w * x + weights.b, per channel or with one number
)


@dataclass(frozen=True)
class Weights:
    """w as in operators.py: conv2d [out][kh][kw][in / groups], depthwise [kh][kw][out],
    fully_connected [out][in], scale [channels] or [1], prelu [channels], its slopes; b [out], of a
    prelu 0.

    scales: of an already quantized w, one or one per output channel.
    """

    w: Floats
    b: Floats
    scales: tuple[float, ...] = ()


@dataclass(frozen=True)
class Filling:
    """pad: amounts before and after (height, width, channels), filled with the real `value`."""

    before: tuple[int, int, int]
    after: tuple[int, int, int]
    value: float = 0.0


@dataclass(frozen=True)
class Factor:
    """softmax: beta; leaky_relu, elu: alpha."""

    value: float = 1.0


FloatAttrs = (
    Window | TakeAttrs | MeanAttrs | TransposeAttrs | AxisAttrs | Filling | Factor | NoAttrs
)
NOTHING = NoAttrs()


@dataclass(frozen=True)
class FloatNode:
    """One operation and its output tensor. `bounds`: of the fused activation. `shape`: with a batch
    of 1."""

    op: str
    name: str
    inputs: tuple[str, ...]
    shape: Shape
    attrs: FloatAttrs = NOTHING
    weights: Weights | None = field(default=None, compare=False, repr=False)
    bounds: Bounds = UNBOUNDED

    @property
    def window(self) -> Window:
        assert isinstance(self.attrs, Window)
        return self.attrs

    @property
    def learned(self) -> Weights:
        assert self.weights is not None
        return self.weights


@dataclass(frozen=True)
class Source:
    """The network's input. A sample has the model's `given` shape, without a batch. The network
    reads it as `shape`, with its axes in `order`."""

    name: str
    given: Shape
    order: tuple[int, ...]
    shape: Shape

    def arrange(self, samples: Floats) -> Floats:
        """Returns samples [n][given] as the network reads them, [n][shape without its batch]."""
        moved = samples.transpose(0, *(axis + 1 for axis in self.order))
        return np.ascontiguousarray(moved).reshape(len(samples), *self.shape[1:])


@dataclass(frozen=True)
class FloatGraph:
    """A network in float. codings: of tensors whose quantization the model itself gives. unread:
    why an end of the model was not read (Graph.unread)."""

    name: str
    source: Source
    nodes: tuple[FloatNode, ...]
    output: str
    codings: Mapping[str, Quant] = field(default_factory=dict)
    unread: str = ""

    def node(self, name: str) -> FloatNode | None:
        """Returns the node that makes a tensor; None for the input."""
        return next((n for n in self.nodes if n.name == name), None)

    def readers(self, name: str) -> tuple[FloatNode, ...]:
        return tuple(n for n in self.nodes if name in n.inputs)

    def shape(self, name: str) -> Shape:
        node = self.node(name)
        return self.source.shape if node is None else node.shape

    def replaced(self, nodes: Iterable[FloatNode], renamed: Mapping[str, str]) -> FloatGraph:
        """Returns this graph with other nodes. Readers of a `renamed` tensor read the one it maps
        to."""

        def final(name: str) -> str:
            while name in renamed:
                name = renamed[name]
            return name

        kept = tuple(replace(n, inputs=tuple(final(i) for i in n.inputs)) for n in nodes)
        names = {self.source.name, *(n.name for n in kept)}
        codings = {k: q for k, q in self.codings.items() if k in names}
        return replace(self, nodes=kept, output=final(self.output), codings=codings)
