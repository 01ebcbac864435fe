"""Turns the calls of a plan, which name nodes, into calls of a program, which name table rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from tinyflash.compiler.lower.names import Draft
from tinyflash.compiler.plan import Plan
from tinyflash.compiler.plan.calls import Call as Planned
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node
from tinyflash.program import Call, Row


def lower_calls(
    graph: Graph, plan: Plan, rows: Sequence[Sequence[Row]], records: Sequence[Draft]
) -> tuple[Call, ...]:
    """rows: the table rows of each node. A node with several rows calls each of them; a view calls
    none."""
    _check_sources(graph, plan)
    first = list(accumulate(map(len, rows), initial=0))
    return tuple(
        _lowered(
            graph.nodes[call.node], rows_computed(graph, graph.nodes[call.node]), call, op, row
        )
        for call in plan.calls
        for op, row in enumerate(_heights(rows[call.node], records), first[call.node])
    )


def _heights(rows: Sequence[Row], records: Sequence[Draft]) -> list[int | None]:
    """Returns the height that each record gives its kernel. None: the height of the node's map."""
    heights = [records[row.record].fields.get("height") for row in rows]
    return [height if isinstance(height, int) else None for height in heights]


def _lowered(node: Node, rows: int, call: Planned, op: int, height: int | None) -> Call:
    """A kernel that counts rows differently from its node can only compute all of them."""
    if height is None or height == rows:
        return Call(op, call.first, call.count, call.node)
    if (call.first, call.count) != (0, rows):
        raise InternalError(f"plan: {node.op} {node.name} cannot be cut")
    return Call(op, 0, height, call.node)


def _check_sources(graph: Graph, plan: Plan) -> None:
    """A source may fail. Until it has delivered all rows, nothing may change that a later step
    reads."""
    order = [graph.nodes[call.node] for call in plan.calls]
    changed = False
    for node in order:
        changed = changed or _changes(graph, node)
        if node.op == "source" and changed:
            raise InternalError(f"plan: rows of {node.outputs['y']} are read after the loss")


def _changes(graph: Graph, node: Node) -> bool:
    """Whether a node writes WEIGHTS or STATE. Nodes that make gradients do."""
    gradient = any(graph.tensors[t].kind == "gradient" for t in node.outputs.values())
    return gradient or not node.outputs
