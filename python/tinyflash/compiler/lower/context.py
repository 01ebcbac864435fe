"""The tools of the lowering rules: buffers of tensors, and records, each made once."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyflash.compiler.kernels import KernelSets, chosen_set
from tinyflash.compiler.lower.geometry import Fields, Rings
from tinyflash.compiler.lower.layout import Layout
from tinyflash.compiler.lower.names import Draft
from tinyflash.compiler.lower.notes import row_note
from tinyflash.compiler.plan import Plan
from tinyflash.graph import Graph, Node
from tinyflash.program import Buffer, Row, Space, canonical, with_scratch

STATE = Buffer(Space.STATE, 0)
# A part of the weights without channels: nothing is read, so any valid address will do.
NOWHERE = Buffer(Space.FLASH, 0)


@dataclass
class Lowering:
    """The records made so far, keyed by content, so that equal ones are shared."""

    layout: Layout
    trained: Graph | None
    drafts: list[Draft] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    kernels: KernelSets = field(default_factory=dict)

    def record(self, draft: Draft) -> int:
        """Returns the index of the record with these fields."""
        key = draft.ctype + canonical(draft.fields)
        if key not in self.known:
            self.known[key] = len(self.drafts)
            self.drafts.append(draft)
        return self.known[key]


@dataclass(frozen=True)
class Context:
    """One node and the tools that its lowering rule uses."""

    lowering: Lowering
    graph: Graph
    plan: Plan
    node: Node

    def tensor(self, role: str) -> Buffer | None:
        """Returns the buffer of a role; None if the node has no such role."""
        name = self.node.inputs.get(role) or self.node.outputs.get(role)
        return None if name is None else self.place(name)

    def place(self, tensor: str) -> Buffer:
        return self.lowering.layout.buffer(self.graph, self.plan, tensor)

    @property
    def rings(self) -> Rings:
        return self.plan.rings

    def scale(self, role: str) -> Buffer | None:
        name = self.node.inputs.get(role) or self.node.outputs.get(role)
        return None if name is None else self.lowering.layout.scales[name]

    def weights(self) -> tuple[Buffer, Buffer]:
        return self.tensor("w") or NOWHERE, self.tensor("w_frozen") or NOWHERE

    def layer(self) -> Node:
        """The forward node that this node belongs to."""
        name = self.node.layer or self.node.name
        return next(n for n in self.graph.named(name) if n.operator.weighted)

    def record(self, ctype: str, fields: Fields, meaning: str = "", layer: str = "") -> int:
        """Returns the index of the record with these fields. meaning: its part in the node's
        layer."""
        trained = self.lowering.trained
        infer = trained is not None and self.graph is not trained
        owner = layer or self.node.layer or self.node.name
        return self.lowering.record(Draft(ctype, owner, meaning, infer, fields))

    def row(self, kernel: str, record: int, *buffers: Buffer | None, part: str = "") -> Row:
        """part: the input that this row handles, if the node has one row per input."""
        shape = {**self.node.inputs, **self.node.outputs}
        result = self.node.outputs or self.node.inputs
        last = list(result.values())[-1] if shape else ""
        note = " x ".join(str(d) for d in self.graph.tensors[last].shape) if last else ""
        about = row_note(self.graph, self.node, part)
        chosen = chosen_set(kernel, self.graph, self.node, self.lowering.kernels)
        if self.node.scratch:
            buffers = with_scratch(buffers, Buffer(Space.ARENA, self.plan.scratch(self.node)))
        return Row(
            *(kernel, record, buffers, self.node.name, note, about),
            kernel_set=chosen,
        )
