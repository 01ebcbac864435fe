"""Counts what each layer of a network costs to run, and would cost to train."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tinyflash.compiler.passes.differentiate import is_masked
from tinyflash.graph import Graph, Node, Tensor
from tinyflash.layers import weight_of
from tinyflash.operators import OPERATORS


@dataclass(frozen=True)
class LayerCost:
    """One layer. `macs`: multiply-adds of one inference. The last four: bytes that training all of
    the layer adds."""

    name: str
    op: str
    shape: tuple[int, ...]  # of its output
    macs: int
    params: int  # weights and biases, in numbers
    weight_bytes: int  # int8 weights, in RAM
    bias_bytes: int  # int32 biases, in RAM
    saved_bytes: int  # the input, kept until the backward pass for the weight gradient
    mask_bytes: int  # one bit per output element, if an earlier layer or this one is trained


TOTALS = tuple(f.name for f in fields(LayerCost) if f.type == "int")


def layer_costs(graph: Graph) -> tuple[LayerCost, ...]:
    """One row per operation, in execution order."""
    return tuple(_layer_cost(graph, node) for node in graph.nodes)


def totals(costs: tuple[LayerCost, ...]) -> dict[str, int]:
    """The sum of each numeric column."""
    return {name: sum(getattr(cost, name) for cost in costs) for name in TOTALS}


def _layer_cost(graph: Graph, node: Node) -> LayerCost:
    y = graph.tensors[next(iter(node.outputs.values()))]
    weights = [graph.tensors[name] for name in weight_of(node)]
    biases = _read(graph, node, "b")
    return LayerCost(
        name=node.name,
        op=node.op,
        shape=y.shape,
        macs=multiply_adds(graph, node),
        params=sum(t.size for t in (*weights, *biases)),
        weight_bytes=sum(t.nbytes for t in weights),
        bias_bytes=sum(t.nbytes for t in biases),
        saved_bytes=sum(t.nbytes for t in _read(graph, node, "x")),
        mask_bytes=-(-y.size // 8) if is_masked(node) else 0,
    )


def _read(graph: Graph, node: Node, role: str) -> list[Tensor]:
    """What a layer with weights reads in a role, if it does; nothing of all other operators."""
    reads = node.operator.weighted and role in node.inputs
    return [graph.tensors[node.inputs[role]]] if reads else []


def multiply_adds(graph: Graph, node: Node) -> int:
    """Of a layer with weights, its input gradient, or its update; of all else none.

    Every weight meets every position of the layer's output once, in an update every trained one.
    """
    layer = OPERATORS[node.operator.forward or node.op]
    if not layer.weighted:
        return 0
    names = (node.inputs["w"],) if node.operator.updates else weight_of(node)
    y = graph.tensors[node.outputs["y"] if node.operator.weighted else node.inputs["dy"]]
    channels = y.shape[-1] if layer.depthwise else graph.tensors[names[0]].shape[0]
    return sum(graph.tensors[name].size for name in names) * (y.size // channels)
