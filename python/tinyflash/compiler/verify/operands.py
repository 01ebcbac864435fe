"""One node with its tensors, as verify sees it, and the rules for kinds and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node, Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operands:
    """A node with its tensors by role, inputs and outputs together.

    `origin`: the operands of the forward node that it is derived from, if any.
    """

    node: Node
    tensors: Mapping[str, Tensor]
    origin: Mapping[str, Tensor] = field(default_factory=dict)

    def require(self, condition: bool, text: str) -> None:
        if not condition:
            raise InternalError(f"unsound graph: {self.node.name} ({self.node.op}): {text}")

    def same(self, found: object, expected: object, what: str) -> None:
        self.require(found == expected, f"{what} is {found}, expected {expected}")

    def shape(self, role: str) -> Shape:
        return self.tensors[role].shape

    def size(self, role: str) -> int:
        return self.tensors[role].size

    def parts(self) -> list[Shape]:
        """The shapes of the weights: the trained part, the frozen part, or both."""
        found = [self.shape(role) for role in ("w", "w_frozen") if role in self.tensors]
        self.require(bool(found), "no weights")
        return found

    def forward(self) -> Operands:
        """An input gradient seen as its layer: dx in place of x, dy in place of y."""
        names = {"dx": "x", "dy": "y"}
        return replace(self, tensors={names.get(r, r): t for r, t in self.tensors.items()})


def operands_of(graph: Graph, node: Node) -> Operands:
    """Returns the node with the tensors it names."""
    return Operands(node, _tensors(graph, node), _origin(graph, node))


def _tensors(graph: Graph, node: Node) -> dict[str, Tensor]:
    return {r: graph.tensors[t] for r, t in {**node.inputs, **node.outputs}.items()}


def _origin(graph: Graph, node: Node) -> dict[str, Tensor]:
    found = origin_of(graph, node)
    return {} if found is None else _tensors(graph, found)


def origin_of(graph: Graph, node: Node) -> Node | None:
    """Returns the forward node that a node is derived from, if any."""
    op = node.op.removesuffix("_backward_input").removesuffix("_update")
    found = graph.find(node.layer, op)
    return None if found is node else found


# ---- Kinds and types ----------------------------------------------------------------------------

_BIASED = ("conv2d", "depthwise", "fully_connected", "bias_update")
_TABLES = {
    **{"lookup": "int8", "softmax": "int32", "log_softmax": "int32"},
    **{"softmax_loss": "uint16", "sigmoid_loss": "uint16"},
}


def check_type(o: Operands, role: str, tensor: Tensor) -> None:
    """Checks that one operand has the kind and the type of its role."""
    op = o.node.op
    dtype = "int8"
    kinds: tuple[str, ...] = ("activation",)
    if role == "b" and op in _BIASED:
        dtype, kinds = "int32", ("constant", "trainable")
    elif role == "table":
        dtype, kinds = _TABLES[op], ("constant",)
        o.same(tensor.shape, (256,), "the table's shape")
    elif role == "slope":
        dtype, kinds = "int16", ("constant",)
        o.same(tensor.shape, (256,), "the slope's shape")
    elif role == "mask":
        dtype, kinds = "uint8", ("mask",)
    elif role == "velocity":
        dtype, kinds = "int32" if op == "bias_update" else "int16", ("trainable",)
    elif role == "d":
        dtype, kinds = "int32", ("trainable",)
    elif role == "low":
        dtype, kinds = "uint8", ("trainable",)
    elif role in ("w", "w_frozen"):
        kinds = ("trainable",) if role == "w" else ("constant",)
    elif role == "alpha":
        kinds = ("constant",)
    elif role in ("dx", "dy") or op == "gradient_add":
        kinds = ("gradient",)
    elif op in ("add", "sub", "concatenate", "mul", "mul_backward_input") and role != "y":
        kinds = ("activation", "constant")
    o.same(tensor.dtype, dtype, f"the type of {role}")
    o.require(tensor.kind in kinds, f"{role} is of kind {tensor.kind}, expected {kinds[0]}")
