"""The intermediate representation: nodes over tensors, all frozen. Every pass is Graph -> Graph.

A graph is in static single assignment form, except that update nodes read a trainable tensor and
write it in place (`Node.writes`). Node order is execution order. The facts of each operator are in
operators.py. Import tensors and attributes from here, too; they have separate files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from tinyflash.attributes import (
    NO_ATTRS,
    PLAIN,
    AdvanceAttrs,
    Attrs,
    AxisAttrs,
    Clip,
    ClipAttrs,
    DenseAttrs,
    Descent,
    LookupAttrs,
    LossAttrs,
    MeanAttrs,
    NoAttrs,
    Number,
    PadAttrs,
    Pair,
    PartAttrs,
    SoftmaxAttrs,
    Steps,
    TakeAttrs,
    TransposeAttrs,
    Window,
    WindowAttrs,
)
from tinyflash.operators import OPERATORS, Operator
from tinyflash.tensors import ALIGNMENT, Array, Quant, Taken, Tensor, aligned

__all__ = [
    "ALIGNMENT",
    "PLAIN",
    "AdvanceAttrs",
    "Array",
    "Attrs",
    "AxisAttrs",
    "Clip",
    "ClipAttrs",
    "DenseAttrs",
    "Descent",
    "Graph",
    "LookupAttrs",
    "LossAttrs",
    "MeanAttrs",
    "NoAttrs",
    "Node",
    "Number",
    "PadAttrs",
    "Pair",
    "PartAttrs",
    "Port",
    "Quant",
    "SoftmaxAttrs",
    "Steps",
    "TakeAttrs",
    "Taken",
    "Tensor",
    "TransposeAttrs",
    "Window",
    "WindowAttrs",
    "aligned",
]


@dataclass(frozen=True)
class Node:
    """One operation. `name`: of the source layer. Inputs and outputs map roles to tensor names.

    Nodes derived from a layer with weights carry its attributes, and `layer`, the name of its
    forward node, where passes look up scales and shapes. `descent`: the rule of updates.
    """

    op: str
    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    attrs: Attrs = NO_ATTRS
    layer: str = ""
    descent: Descent = PLAIN

    @property
    def operator(self) -> Operator:
        """The facts of the operator."""
        return OPERATORS[self.op]

    @property
    def writes(self) -> tuple[str, ...]:
        """The names of the tensors written in place."""
        return tuple(self.inputs[r] for r in self.operator.written if r in self.inputs)


@dataclass(frozen=True)
class Port:
    """How a file presents its input or output: its type, and for float the scale to int8.

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
    """A network, with or without its training part. `logits`: the tensor that feeds the loss, once
    there is a loss.

    target: the extra input that the loss compares with the logits; "" if the loss takes a label.
    unread: why the end of the model behind `output` was not read, and what to do; "" if all was.
    Only a new head makes such a network complete.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    input: Port
    output: Port
    logits: str = ""
    target: str = ""
    unread: str = ""

    def producer(self, tensor: str) -> Node | None:
        """Returns the node that makes a tensor; None for inputs and constants."""
        return self._producers.get(tensor)

    def readers(self, tensor: str) -> tuple[Node, ...]:
        """Returns the nodes that read a tensor, in order."""
        return tuple(self._readers.get(tensor, ()))

    def node(self, name: str, op: str) -> Node:
        """Returns the node with this name and operator."""
        return self._named[name, op]

    def find(self, name: str, op: str) -> Node | None:
        """Returns the node with this name and operator; None if there is none."""
        return self._named.get((name, op))

    def named(self, name: str) -> tuple[Node, ...]:
        """Returns all nodes with this name, in order."""
        return tuple(self._by_name.get(name, ()))

    def of_layer(self, name: str) -> tuple[Node, ...]:
        """Returns the nodes that name this one as their layer, in order."""
        return tuple(self._by_layer.get(name, ()))

    def last_reader(self, tensor: str) -> int:
        """Returns the number of the last node that reads a tensor; -1 if none does."""
        return self._last_readers.get(tensor, -1)

    # A graph never changes, so frequent queries are computed once.

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
        """The tensors that no node makes: the caller writes them before the first node runs."""
        inputs = (self.input.tensor, self.target)
        return tuple(t for t in inputs if t and t not in self._producers)

    def constants(self) -> Iterator[Tensor]:
        return (t for t in self.tensors.values() if t.data is not None)

    def with_nodes(self, nodes: Iterable[Node], extra: Iterable[Tensor] = ()) -> Graph:
        """Returns this graph with other nodes and `extra` tensors, without tensors that no node
        names.

        Drops a target that no node reads, too.
        """
        nodes = tuple(nodes)
        tensors = {**self.tensors, **{t.name: t for t in extra}}
        named = {self.input.tensor, self.output.tensor}
        for node in nodes:
            named.update(node.inputs.values(), node.outputs.values())
        kept = {k: v for k, v in tensors.items() if k in named}
        target = self.target if self.target in kept else ""
        return replace(self, nodes=nodes, tensors=kept, target=target)
