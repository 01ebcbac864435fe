"""The intermediate representation: tensors and nodes, both frozen. Every pass is Graph -> Graph.

A graph is in static single assignment form but for one thing: update nodes write a trainable
tensor in place (`Node.writes`), which they also read. Node order is execution order.
Roles of inputs and outputs, by operator, are listed in `ROLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Kind = Literal["activation", "constant", "trainable", "gradient", "mask"]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Quant:
    """Affine quantisation: real = scale * (stored - zero). One scale, or one per channel.

    Scales are float32 values held exactly; with several, `zero` is 0 and `axis` names the
    dimension they belong to.
    """

    scale: tuple[float, ...]
    zero: int = 0
    axis: int = 0


@dataclass(frozen=True)
class Taken:
    """Which output channels (`rows`) and input channels (`columns`) of a source tensor are left, in
    which order; empty: all, as they were. `largest`: the largest scale there (SPEC 4.1, 6.6)."""

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    largest: float = 0.0


@dataclass(frozen=True)
class Tensor:
    """One tensor. `data`: constants and the initial value of trainables, in stored integers."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["int8", "uint8", "int16", "uint16", "int32"]
    kind: Kind
    quant: Quant | None = None
    data: Array | None = field(default=None, compare=False, repr=False)
    source_id: int = -1  # index of the tensor in the source model; keys the random bits (SPEC 6.3)
    taken: Taken | None = None  # None: the whole source tensor

    @cached_property
    def size(self) -> int:
        """Number of elements."""
        return int(prod(self.shape))

    @cached_property
    def nbytes(self) -> int:
        return self.size * int(np.dtype(self.dtype).itemsize)


ALIGNMENT = 4  # of tensors in any memory


def aligned(nbytes: int) -> int:
    """Bytes that a tensor takes, with those that align what follows."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


# ---- Attributes of operators -------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """Bounds of the stored output (fused activation, or the range of int8)."""

    low: int = -128
    high: int = 127


@dataclass(frozen=True)
class Window:
    """How a kernel slides over a map; padding is (top, left, bottom, right)."""

    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class WindowAttrs:
    """conv2d, depthwise, average_pool, max_pool and what is derived from them.

    `kept`: input channels (depthwise: channels of y) that are trained; they come first.
    `groups` of a conv2d: parts of x and of y, each part of y made from its own part of x.
    """

    window: Window
    clip: Clip = Clip()
    kept: int = 0
    groups: int = 1


@dataclass(frozen=True)
class DenseAttrs:
    """fully_connected: x is read as [rows][in], in = the last dimension of the weights."""

    clip: Clip = Clip()
    kept: int = 0


@dataclass(frozen=True)
class ClipAttrs:
    """add, mul, and mask (the bounds between which a gradient passes)."""

    clip: Clip = Clip()


@dataclass(frozen=True)
class PadAttrs:
    """pad: amounts before and after (height, width, channels), filled with the stored `value`."""

    before: tuple[int, int, int]
    after: tuple[int, int, int]
    value: int


@dataclass(frozen=True)
class AxisAttrs:
    """concatenate: one axis, counted from 0. keep: the last, and how many of it."""

    axis: int = 0
    kept: int = 0


@dataclass(frozen=True)
class SoftmaxAttrs:
    """softmax of beta * x, over the last axis."""

    beta: float = 1.0


@dataclass(frozen=True)
class MeanAttrs:
    """mean over adjacent axes, counted from 0."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class TransposeAttrs:
    """y's dimension i is x's dimension order[i]."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class Number:
    """A constant of one element in the place of an operand, `first` or second."""

    stored: int
    quant: Quant
    first: bool = False


@dataclass(frozen=True)
class LookupAttrs:
    """A function of one element, by the name it has in the source model, and its fused clip.

    alpha: leaky_relu's; of add, sub and mul with a `number` the slope.
    """

    function: str
    alpha: float = 0.0
    clip: Clip = Clip()
    number: Number | None = None


@dataclass(frozen=True)
class PartAttrs:
    """Which of several inputs the gradient belongs to: x0, x1, ... of concatenate; a, b of mul."""

    index: int


@dataclass(frozen=True)
class LossAttrs:
    """softmax_loss: the share of the label that is spread evenly over all classes (SPEC 4.7)."""

    smoothing: float = 0.0


@dataclass(frozen=True)
class AdvanceAttrs:
    """End of a training step: bits of headroom above the largest gradient (SPEC 5.3)."""

    headroom: int = 1


@dataclass(frozen=True)
class NoAttrs:
    """Operators without attributes."""


Attrs = (
    WindowAttrs
    | DenseAttrs
    | ClipAttrs
    | PadAttrs
    | AxisAttrs
    | SoftmaxAttrs
    | MeanAttrs
    | TransposeAttrs
    | LookupAttrs
    | PartAttrs
    | LossAttrs
    | AdvanceAttrs
    | NoAttrs
)


@dataclass(frozen=True)
class Descent:
    """How an update moves what it trains (SPEC 6); by default plain gradient descent."""

    rate: float = 1.0  # multiplies the learning rate
    decay: float = 0.0  # weight decay per unit of learning rate, `rate` included
    momentum: float = 0.0
    every: int = 1  # training steps per move of the weights
    clipped_limit: int = 65535  # clipped elements of dy beyond which a step is skipped
    nearest: bool = False


PLAIN = Descent()

# Roles of each operator's inputs -> outputs. A role ending in "?" may be absent, in "*" repeats
# (x0, x1, ...). A role in [] is also written, in place.
# What an update remembers of each trained element has the shape of "w" or "b": "velocity" is int16
# (of a bias: int32), "low" uint8.
#
# Weights: conv2d [out][kh][kw][in / groups], depthwise [kh][kw][out], fully_connected [out][in];
# with some channels trained, "w" holds the trained first channels and "w_frozen" the others, each
# dense; with none trained "w" is absent, with all trained "w_frozen" is. Biases int32 [out]. Masks:
# uint8 [ceil(elements / 8)].
ROLES: dict[str, tuple[str, str]] = {
    "source": ("", "y"),  # y: the input, whose rows a callback of the caller writes
    "conv2d": ("x w? w_frozen? b?", "y"),
    "depthwise": ("x w? w_frozen? b?", "y"),
    "fully_connected": ("x w? w_frozen? b?", "y"),
    "average_pool": ("x", "y"),
    "max_pool": ("x", "y"),
    "mean": ("x", "y"),
    "add": ("a b", "y"),
    "mul": ("a b", "y"),  # b: of the shape of a, or one row of it, for all rows
    "pad": ("x", "y"),
    "reshape": ("x", "y"),
    "concatenate": ("x*", "y"),
    "transpose": ("x", "y"),
    "lookup": ("x table", "y"),  # table: int8 [256], indexed by the byte of x
    "softmax": ("x table", "y"),  # table: int32 [256], SPEC 3.4
    # What training adds. dy and dx have kind "gradient"; each has a scale of its own.
    "mask": ("y", "mask"),
    "keep": ("x", "y"),  # y: the first `kept` channels of x
    "softmax_loss": ("x table", "dy"),  # table: uint16 [256], SPEC 4.7
    "squared_loss": ("x target", "dy"),
    "sigmoid_loss": ("x target table", "dy"),  # table: uint16 [256], SPEC 4.8
    "conv2d_backward_input": ("dy w? w_frozen? mask?", "dx"),
    "depthwise_backward_input": ("dy w? w_frozen? mask?", "dx"),
    "fully_connected_backward_input": ("dy w? w_frozen? mask?", "dx"),
    "average_pool_backward_input": ("dy mask?", "dx"),
    "max_pool_backward_input": ("x dy mask?", "dx"),
    "mean_backward_input": ("dy mask?", "dx"),
    "pad_backward_input": ("dy mask?", "dx"),
    "concatenate_backward_input": ("dy mask?", "dx"),  # dx: of one of its inputs
    "transpose_backward_input": ("dy mask?", "dx"),
    "lookup_backward_input": ("x slope dy mask?", "dx"),  # slope: int16 [256], SPEC 4.6
    "softmax_backward_input": ("y dy mask?", "dx"),
    "mul_backward_input": ("x dy mask?", "dx"),  # x: the other operand
    "reshape_backward_input": ("dy", "dx"),  # the same bytes and the same scale
    "gradient_add": ("a b? mask?", "dx"),
    "conv2d_update": ("x dy [w] [velocity?] [low?]", ""),
    "depthwise_update": ("x dy [w] [velocity?] [low?]", ""),
    "fully_connected_update": ("x dy [w] [velocity?] [low?]", ""),
    "bias_update": ("dy [b] [velocity?]", ""),
    "advance": ("", ""),
}

# Operators that move nothing: their output is an operand, in this role, under another shape.
VIEWS = {"reshape": "x", "reshape_backward_input": "dy"}

# Of each operator the roles that it writes in place.
_WRITTEN = {
    op: tuple(role.strip("[?]") for role in inputs.split() if role.startswith("["))
    for op, (inputs, _) in ROLES.items()
}


@dataclass(frozen=True)
class Node:
    """One operation. `name` is the source layer's; inputs and outputs map roles to tensor names.

    Nodes derived from a layer with weights carry its attributes, and `layer` = the name of the
    layer's forward node, which is where scales and shapes are looked up. `descent`: of updates.
    """

    op: str
    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    attrs: Attrs = NoAttrs()
    layer: str = ""
    descent: Descent = PLAIN

    @property
    def writes(self) -> tuple[str, ...]:
        """Names of the tensors written in place."""
        return tuple(self.inputs[r] for r in _WRITTEN[self.op] if r in self.inputs)


@dataclass(frozen=True)
class Port:
    """How a file presents its input or output: its own type, and the scale to int8 where float.

    dtype "float32": stored = round(real / scale) + zero, half away from zero, clamped. dtype
    "uint8": the tensor is the raw bytes, int8 to the graph and without a scale. `shape` begins
    with a batch of 1.
    """

    tensor: str
    dtype: Literal["int8", "uint8", "float32"]
    shape: tuple[int, ...]
    quant: Quant | None = None


def _grouped(nodes: Iterable[Node], key: Callable[[Node], str]) -> dict[str, list[Node]]:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(key(node), []).append(node)
    return groups


@dataclass(frozen=True)
class Graph:
    """A network, with or without its training part. `logits` feeds the loss once there is one.

    target: what the logits are compared with, an input of its own; "" where that is a label.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    input: Port
    output: Port
    logits: str = ""
    target: str = ""

    def producer(self, tensor: str) -> Node | None:
        """The node that makes a tensor; None of inputs and constants."""
        return self._producers.get(tensor)

    def readers(self, tensor: str) -> tuple[Node, ...]:
        """The nodes that read a tensor, in order."""
        return tuple(self._readers.get(tensor, ()))

    def node(self, name: str, op: str) -> Node:
        """The node of this name and operator."""
        return self._named[name, op]

    def find(self, name: str, op: str) -> Node | None:
        """The same, if there is one."""
        return self._named.get((name, op))

    def named(self, name: str) -> tuple[Node, ...]:
        """All nodes of this name, in order."""
        return tuple(self._by_name.get(name, ()))

    def of_layer(self, name: str) -> tuple[Node, ...]:
        """The nodes that name this one as their layer, in order."""
        return tuple(self._by_layer.get(name, ()))

    def last_reader(self, tensor: str) -> int:
        """The number of the last node that reads a tensor; -1 if none does."""
        return self._last_readers.get(tensor, -1)

    # A graph never changes, so what is asked of it again and again is found out once.

    @cached_property
    def _producers(self) -> Mapping[str, Node]:
        return {t: n for n in reversed(self.nodes) for t in n.outputs.values()}

    @cached_property
    def _readers(self) -> Mapping[str, Sequence[Node]]:
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for tensor in dict.fromkeys(node.inputs.values()):
                readers.setdefault(tensor, []).append(node)
        return readers

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], Node]:
        return {(n.name, n.op): n for n in reversed(self.nodes)}

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Node]]:
        return _grouped(self.nodes, lambda node: node.name)

    @cached_property
    def _last_readers(self) -> Mapping[str, int]:
        return {t: i for i, node in enumerate(self.nodes) for t in node.inputs.values()}

    @cached_property
    def _by_layer(self) -> Mapping[str, Sequence[Node]]:
        return _grouped(self.nodes, lambda node: node.layer)

    @property
    def given(self) -> tuple[str, ...]:
        """Tensors that no node makes: the caller writes them before the first one runs."""
        inputs = (self.input.tensor, self.target)
        return tuple(t for t in inputs if t and t not in self._producers)

    def constants(self) -> Iterator[Tensor]:
        return (t for t in self.tensors.values() if t.data is not None)

    def with_nodes(self, nodes: Iterable[Node], extra: Iterable[Tensor] = ()) -> Graph:
        """This graph with other nodes, `extra` tensors added, and tensors nobody names dropped.

        A target that no node reads is dropped with them.
        """
        nodes = tuple(nodes)
        tensors = {**self.tensors, **{t.name: t for t in extra}}
        named = {self.input.tensor, self.output.tensor}
        for node in nodes:
            named.update(node.inputs.values(), node.outputs.values())
        kept = {k: v for k, v in tensors.items() if k in named}
        target = self.target if self.target in kept else ""
        return replace(self, nodes=nodes, tensors=kept, target=target)
