"""The contents of a plan, for reports: its buffers, its operations, and the network as trained."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Any

from tinyflash.compiler.costs import multiply_adds
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import NONE, Placement, plan
from tinyflash.compiler.plan.calls import rows_computed, rows_of
from tinyflash.graph import Graph, Node
from tinyflash.layers import in_channels
from tinyflash.show.report.timeline import Column, Curve, columns, filled, fullest, highest

Fields = dict[str, Any]


def plan_contents(planned: Planned) -> Fields:
    """Returns the contents of one plan. Times are call numbers. The keys are stable."""
    graph, found = planned.graph, columns(planned.graph, planned.plan.calls)
    curve = filled(planned.plan.placements)
    return {
        "calls": len(planned.plan.calls),
        "arena_bytes": planned.plan.arena_bytes,
        "in_use_bytes": highest(curve),
        "lower_bound": planned.plan.lower_bound,
        "peak_call": fullest(curve),
        "phases": _phases(graph, found),
        "columns": [_column(graph, c, curve) for c in found],
        "filled": [list(point) for point in curve],
        "buffers": [_buffer(planned, p) for p in planned.plan.placements],
        "operations": _operations(planned, found, curve),
    }


def _phases(graph: Graph, found: tuple[Column, ...]) -> Fields:
    """Returns the first call of each part of a training step."""
    calls = {node: c.first for c in found for node in c.nodes}
    loss = next((i for i, n in enumerate(graph.nodes) if n.operator.stage == "loss"), None)
    return {"forward": 0} if loss is None else {"forward": 0, "backward": calls[loss]}


def _column(graph: Graph, column: Column, curve: Curve) -> Fields:
    return {
        "first": column.first,
        "last": column.last,
        "nodes": [graph.nodes[i].name for i in column.nodes],
        "operations": [graph.nodes[i].op for i in column.nodes],
        "filled": most(curve, column.first, column.last),
    }


def most(curve: Curve, first: int, last: int) -> int:
    """Returns the most bytes in use during calls first..last."""
    start = bisect_right(curve, first, key=itemgetter(0)) - 1
    end = bisect_right(curve, last, key=itemgetter(0))
    return max((nbytes for _, nbytes in curve[max(start, 0) : end]), default=0)


# ---- Buffers ------------------------------------------------------------------------------------


def _buffer(planned: Planned, placement: Placement) -> Fields:
    """Returns one storage, named after its first tensor. A ring has `rows` of `of_rows`."""
    graph, storage = planned.graph, placement.storage
    tensor = graph.tensors[storage.name]
    maker, readers = graph.producer(storage.name), _readers(graph, placement)
    return {
        "name": storage.name,
        "kind": _kind(graph, placement),
        "bytes": storage.nbytes,
        "offset": placement.offset,
        "first": storage.first,
        "last": min(storage.last, len(planned.plan.calls) - 1),
        "shape": list(tensor.shape),
        "made_by": None if maker is None else f"{maker.op} {maker.name}",
        "layer": None if maker is None else maker.name,
        "read_by": [f"{node.op} {node.name}" for node in readers],
        "shared_with": list(storage.tensors[1:]),
        "ring_rows": planned.plan.rings.get(storage.name),
        "whole_bytes": tensor.nbytes,
    }


def _readers(graph: Graph, placement: Placement) -> list[Node]:
    first, *others = placement.storage.tensors
    if not others:
        return list(graph.readers(first))
    names = set(placement.storage.tensors)
    return [node for node in graph.nodes if not names.isdisjoint(node.inputs.values())]


def _kind(graph: Graph, placement: Placement) -> str:
    """Returns the kind of a buffer. "kept" is an activation that an update reads."""
    tensors = placement.storage.tensors
    if graph.input.tensor in tensors:
        return "input"
    if graph.target and graph.target in tensors:
        return "target"
    readers = ((node, t) for t in tensors for node in graph.readers(t))
    if any(node.operator.updates and node.inputs.get("x") == t for node, t in readers):
        return "kept"
    return graph.tensors[tensors[0]].kind


# ---- Operations ---------------------------------------------------------------------------------


def _operations(planned: Planned, found: tuple[Column, ...], curve: Curve) -> list[Fields]:
    """Returns one entry per node, in the graph's order."""
    graph = planned.graph
    calls = [0] * len(graph.nodes)
    for call in planned.plan.calls:
        calls[call.node] += 1
    of_node = {node: column for column in found for node in column.nodes}
    return [
        _operation(graph, index, calls[index], of_node[index], curve)
        for index in range(len(graph.nodes))
    ]


def _operation(graph: Graph, index: int, calls: int, column: Column, curve: Curve) -> Fields:
    node = graph.nodes[index]
    result = next(iter(node.outputs.values()), None)
    source = node.inputs.get("x") or next(iter(node.inputs.values()), None)
    return {
        "layer": node.name,
        "operation": node.op,
        "phase": _phase(node),
        "input": [] if source is None else list(graph.tensors[source].shape),
        "output": [] if result is None else list(graph.tensors[result].shape),
        "macs": multiply_adds(graph, node),
        "bytes": 0 if result is None else graph.tensors[result].nbytes,
        "filled": most(curve, column.first, column.last),
        "rows": rows_computed(graph, node),
        "calls": calls,
        "first": column.first,
        "streamed": column.streamed,
    }


def _phase(node: Node) -> str:
    """Returns the part of a training step that a node belongs to."""
    stage = node.operator.stage
    if stage == "update":
        return "update"
    return "backward" if stage in ("loss", "gradient") else "forward"


# ---- Streaming ----------------------------------------------------------------------------------


def streaming(planned: Planned) -> Fields:
    """Returns what row-by-row execution saved: the smallest arena without it, and the arena with
    it."""
    graph, order = planned.graph, planned.plan
    runs = [c for c in columns(graph, order.calls) if c.streamed]
    return {
        "plain_bytes": plan(graph, streamed=False, effort=NONE).lower_bound,
        "arena_bytes": order.arena_bytes,
        "rings": [
            {
                "name": name,
                "rows": rows,
                "of_rows": rows_of(graph, name),
                "bytes": graph.tensors[name].nbytes // rows_of(graph, name) * rows,
                "whole_bytes": graph.tensors[name].nbytes,
            }
            for name, rows in order.rings.items()
        ],
        "runs": [
            {
                "nodes": [graph.nodes[i].name for i in run.nodes],
                "calls": run.last + 1 - run.first,
            }
            for run in runs
        ],
    }


# ---- The network --------------------------------------------------------------------------------


def network_contents(infer: Planned, train: Planned | None) -> list[Fields]:
    """Returns the layers with weights in forward order: the trained part of each, and whether a
    gradient reaches it."""
    graph = infer.graph if train is None else train.graph
    derived = {node.layer for node in graph.nodes}
    return [_layer(graph, n, n.name in derived) for n in graph.nodes if n.operator.weighted]


def _layer(graph: Graph, node: Node, reached: bool) -> Fields:
    weights, biases = _bytes(graph, node, ("w", "w_frozen")), _bytes(graph, node, ("b",))
    return {
        "layer": node.name,
        "operation": node.op,
        "output": list(graph.tensors[node.outputs["y"]].shape),
        "macs": multiply_adds(graph, node),
        "weight_bytes": sum(weights.values()),
        "bias_bytes": sum(biases.values()),
        "channels": in_channels(graph, node),
        "trained_channels": graph.tensors[node.inputs["w"]].shape[-1] if "w" in node.inputs else 0,
        "trained_bytes": weights.get("trainable", 0) + biases.get("trainable", 0),
        "trains_bias": "trainable" in biases,
        "reached": reached,
    }


def _bytes(graph: Graph, node: Node, roles: tuple[str, ...]) -> dict[str, int]:
    """Returns the bytes of operands by kind of tensor."""
    found: dict[str, int] = {}
    for tensor in (graph.tensors[node.inputs[role]] for role in roles if role in node.inputs):
        found[tensor.kind] = found.get(tensor.kind, 0) + tensor.nbytes
    return found
