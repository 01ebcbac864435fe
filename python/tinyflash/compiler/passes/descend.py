"""Gives every update its descent rule, and the state tensors of the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from tinyflash.graph import Descent, Graph, Node, Tensor
from tinyflash.scheme import LayerUpdate
from tinyflash.scheme.optimizer import Optimizer

NEVER = 65535  # no count of clipped elements exceeds this limit: counting stops here
LOW_START = 128  # the int8 weight is the 16-bit weight, rounded to nearest (SPEC 6.9)


def descend(graph: Graph, optimizer: Optimizer, updates: Mapping[str, LayerUpdate]) -> Graph:
    """Returns the graph with the optimizer's rule in every update, at the rates of its layer."""
    tensors: list[Tensor] = []
    nodes = []
    for node in graph.nodes:
        if node.operator.updates:
            remembered = _remembered(graph, node, optimizer)
            tensors += remembered.values()
            inputs = {**node.inputs, **{role: t.name for role, t in remembered.items()}}
            descent = _descent(graph, node, optimizer, updates[node.layer])
            node = replace(node, inputs=inputs, descent=descent)
        nodes.append(node)
    return graph.with_nodes(nodes, tensors)


def _descent(graph: Graph, node: Node, optimizer: Optimizer, update: LayerUpdate) -> Descent:
    is_bias = "b" in node.inputs
    rate = update.bias_rate if is_bias else update.weight_rate
    limit = NEVER
    if optimizer.saturation_limit is not None:
        elements = graph.tensors[node.inputs["dy"]].size
        limit = min(int(optimizer.saturation_limit * elements), NEVER)
    return Descent(
        rate=rate,
        decay=0.0 if is_bias else rate * optimizer.weight_decay,
        momentum=optimizer.momentum,
        every=optimizer.accumulate,
        clipped_limit=limit,
        nearest=optimizer.rounding == "nearest",
    )


def _remembered(graph: Graph, node: Node, optimizer: Optimizer) -> dict[str, Tensor]:
    """Returns the state tensors by role: one element for each trained element."""
    is_bias = "b" in node.inputs
    trained = graph.tensors[node.inputs["b" if is_bias else "w"]]
    found = {}
    if optimizer.has_velocity:
        found["velocity"] = _beside(trained, "velocity", "int32" if is_bias else "int16", 0)
    if optimizer.master and not is_bias:
        found["low"] = _beside(trained, "low", "uint8", LOW_START)
    return found


def _beside(
    trained: Tensor, role: str, dtype: Literal["int16", "int32", "uint8"], start: int
) -> Tensor:
    data = np.full(trained.shape, start, dtype)
    return Tensor(f"{trained.name}_{role}", trained.shape, dtype, "trainable", data=data)
