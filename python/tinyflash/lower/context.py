"""What the rules of lowering work with: places of tensors, and records, each made once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tinyflash.graph import Graph, Node
from tinyflash.lower.geometry import Fields, Rings
from tinyflash.lower.layout import Layout
from tinyflash.passes.layers import WEIGHTED
from tinyflash.plan import Plan
from tinyflash.program import Buffer, Record, Row, Space, canonical

_LONGEST = 60  # characters of an identifier, before its number
STATE = Buffer(Space.STATE, 0)
# A part of the weights without channels: any valid address serves, nothing is read there.
NOWHERE = Buffer(Space.FLASH, 0)


@dataclass
class Lowering:
    """Records made so far, by what they hold, so that equal ones are shared."""

    layout: Layout
    trained: Graph | None
    records: list[Record] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # identifiers
    tried: dict[str, int] = field(default_factory=dict)  # by identifier without a number

    def record(self, ctype: str, name: str, fields: Fields) -> int:
        """Index of the record with these fields."""
        key = ctype + canonical(fields)
        if key not in self.known:
            self.known[key] = len(self.records)
            self.records.append(Record(ctype, self._identifier(name), fields))
        return self.known[key]

    def _identifier(self, name: str) -> str:
        """Of C, whatever a layer is called: a keyword, a number, a name that model.c uses."""
        base = ("op_" + re.sub(r"\W+", "_", name, flags=re.ASCII))[:_LONGEST]
        number = self.tried.get(base, 1)
        found = base if number == 1 else f"{base}_{number}"
        while found in self.taken:
            number += 1
            found = f"{base}_{number}"
        self.tried[base] = number + 1
        self.taken.add(found)
        return found


@dataclass(frozen=True)
class Context:
    """What the rule of one node works with."""

    lowering: Lowering
    graph: Graph
    plan: Plan
    node: Node

    def tensor(self, role: str) -> Buffer | None:
        """The buffer in a role; None where the node has none."""
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
        """The forward node this node belongs to."""
        name = self.node.layer or self.node.name
        return next(n for n in self.graph.named(name) if n.op in WEIGHTED)

    def row(self, kernel: str, record: int, *buffers: Buffer | None) -> Row:
        shape = {**self.node.inputs, **self.node.outputs}
        result = self.node.outputs or self.node.inputs
        last = list(result.values())[-1] if shape else ""
        note = " x ".join(str(d) for d in self.graph.tensors[last].shape) if last else ""
        return Row(kernel, record, buffers, self.node.name, note)
