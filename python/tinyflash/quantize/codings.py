"""Finds scale and zero point of every tensor of a float network.

Some operators fix the coding of their output, as in TensorFlow Lite. Others move bytes, so input
and output have the same coding. If these rules conflict, with each other or with the model, an
identity node converts between the codings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyflash.graph import Quant
from tinyflash.operators import OPERATORS
from tinyflash.quantize.fixedpoint import float32, round_half_away
from tinyflash.quantize.floatgraph.graph import Bounds, FloatGraph, FloatNode

FIXED: Mapping[str, Quant] = {
    "logistic": Quant((1 / 256,), -128),
    "softmax": Quant((1 / 256,), -128),
    "log_softmax": Quant((1 / 16,), 127),
    "tanh": Quant((1 / 128,), 0),
}
_SAME_UNIT = tuple(name for name, operator in OPERATORS.items() if operator.same_unit)
# Of these, the ones with several operands.
_JOINING = tuple(name for name in _SAME_UNIT if OPERATORS[name].inputs != "x")


@dataclass
class Ties:
    """Tensors with the same coding, as a union-find forest. `known`: codings by root."""

    parents: dict[str, str] = field(default_factory=dict)
    known: dict[str, Quant] = field(default_factory=dict)

    def root(self, name: str) -> str:
        path = []
        while name in self.parents:
            path.append(name)
            name = self.parents[name]
        self.parents.update(dict.fromkeys(path, name))
        return name

    def coding(self, name: str) -> Quant | None:
        return self.known.get(self.root(name))

    def fix(self, name: str, quant: Quant) -> None:
        self.known[self.root(name)] = quant

    def agree(self, a: str, b: str) -> bool:
        first, second = self.coding(a), self.coding(b)
        return first is None or second is None or first == second

    def tie(self, a: str, b: str) -> None:
        a, b = self.root(a), self.root(b)
        if a == b:
            return
        self.parents[b] = a
        if b in self.known:
            self.known[a] = self.known.pop(b)


def recoded(graph: FloatGraph) -> tuple[FloatGraph, Ties]:
    """Returns the network with identities where a coding changes, and the tensors with the same
    coding."""
    maker = _Recoder(graph)
    for node in graph.nodes:
        maker.add(node)
    return replace(graph, nodes=tuple(maker.nodes)), maker.ties


class _Recoder:
    """A network under construction."""

    def __init__(self, graph: FloatGraph) -> None:
        self.ties = Ties()
        self.nodes: list[FloatNode] = []
        self.shapes = {graph.source.name: graph.source.shape}
        self.shapes.update((node.name, node.shape) for node in graph.nodes)
        for name, quant in graph.codings.items():
            self.ties.fix(name, quant)

    def add(self, node: FloatNode) -> None:
        if node.op in FIXED:
            self._add_fixed(node)
        elif node.op in _JOINING:
            self._add_joined(node)
        elif node.op in _SAME_UNIT and not self.ties.agree(node.inputs[0], node.name):
            inside = self._add_inside(node)
            self.ties.tie(node.inputs[0], inside)
        else:
            if node.op in _SAME_UNIT:
                self.ties.tie(node.inputs[0], node.name)
            self.nodes.append(node)

    def _add_inside(self, node: FloatNode) -> str:
        """Adds the node with another name, and an identity that recodes it to the node's own
        name."""
        inside = f"{node.name}_inside"
        self.nodes.append(replace(node, name=inside))
        self.nodes.append(FloatNode("identity", node.name, (inside,), node.shape))
        return inside

    def _add_fixed(self, node: FloatNode) -> None:
        fixed = FIXED[node.op]
        if self.ties.coding(node.name) in (None, fixed):
            self.ties.fix(node.name, fixed)
            self.nodes.append(node)
        else:
            self.ties.fix(self._add_inside(node), fixed)

    def _add_joined(self, node: FloatNode) -> None:
        """Adds a node that joins inputs. Recodes inputs that cannot have the common coding."""
        codings = {self.ties.coding(name) for name in node.inputs}
        wanted = self.ties.coding(node.name)
        if wanted is None and len(codings) == 1:
            wanted = codings.pop()
        inputs = list(node.inputs)
        for i, name in enumerate(node.inputs):
            if self.ties.coding(name) not in (None, wanted):
                inputs[i] = f"{node.name}_part{i}"
                self.nodes.append(FloatNode("identity", inputs[i], (name,), self.shapes[name]))
            self.ties.tie(node.name, inputs[i])
        self.nodes.append(replace(node, inputs=tuple(inputs)))


def codings(graph: FloatGraph, ties: Ties, ranges: Mapping[str, Bounds]) -> dict[str, Quant]:
    """Returns the coding of every tensor: the known one, or one from the ranges of all tied
    tensors."""
    names = [graph.source.name, *(node.name for node in graph.nodes)]
    joint: dict[str, Bounds] = {}
    for name in names:
        if name in ranges:
            root, (low, high) = ties.root(name), ranges[name]
            found = joint.get(root, (low, high))
            joint[root] = min(found[0], low), max(found[1], high)
    found_codings = {root: coding(bounds) for root, bounds in joint.items()} | ties.known
    for node in graph.nodes:
        root = ties.root(node.name)
        if root not in ties.known and root in found_codings:
            inputs = [found_codings[ties.root(name)] for name in node.inputs]
            found_codings[root] = _wide_enough(node, inputs, found_codings[root])
    roots = {name: ties.root(name) for name in names}
    return {name: found_codings[root] for name, root in roots.items() if root in found_codings}


def coding(bounds: Bounds) -> Quant:
    """Returns the scale and zero point that cover a range, and represent 0 exactly."""
    low, high = bounds
    scale = float32((high - low) / 255)
    return Quant((scale,), max(-128, min(127, round_half_away(-128 - low / scale))))


def _wide_enough(node: FloatNode, inputs: list[Quant], quant: Quant) -> Quant:
    """Returns the coding, with its scale raised to the smallest that the operator's arithmetic
    allows."""
    scales = [q.scale[0] for q in inputs]
    least = {
        "add": lambda: max(scales) / 2**18,
        "sub": lambda: max(scales) / 2**18,
        "mul": lambda: scales[0] * scales[-1] / 2**13,
        "hard_swish": lambda: scales[0] / 64,
    }.get(node.op, lambda: 0.0)()
    return quant if quant.scale[0] >= least else replace(quant, scale=(float32(least),))
