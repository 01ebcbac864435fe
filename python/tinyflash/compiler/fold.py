"""Computes at compile time the tensors that do not depend on the network's input.

The C library computes them, with the kernels that would run on the device.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflash.compiler.lower import lower
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.passes.prune import prune_to_output
from tinyflash.compiler.plan import plan
from tinyflash.graph import Graph, Node, Port, Tensor
from tinyflash.runtime.host import HostSession


def fold_constants(graph: Graph) -> Graph:
    """Replaces the nodes that read only constants by their results."""
    foldable = _foldable(graph)
    nodes = tuple(n for n in graph.nodes if n.name not in foldable)
    read = {tensor for node in nodes for tensor in node.inputs.values()}
    made = (n.outputs["y"] for n in graph.nodes if n.name in foldable)
    return graph.with_nodes(nodes, [_computed(graph, y) for y in made if y in read])


def _computed(graph: Graph, tensor: str) -> Tensor:
    """Computes an activation that depends only on constants, as a constant."""
    y = graph.tensors[tensor]
    part = prune_to_output(replace(graph, output=Port(y.name, "int8", y.shape, y.quant), target=""))
    program = lower(Planned(part, plan(part, streamed=False)), train=None)
    unread = np.zeros(program.input_bytes, np.int8)  # the network's input
    data = HostSession(program).infer(unread).astype(y.dtype).reshape(y.shape)
    return replace(y, kind="constant", data=data)


def _foldable(graph: Graph) -> set[str]:
    """Names the nodes that can be computed now and whose readers accept a constant."""
    constants = {t.name for t in graph.constants()}
    found: list[Node] = []
    for node in graph.nodes:
        if constants.issuperset(node.inputs.values()):
            constants.update(node.outputs.values())
            found.append(node)
    kept = {graph.output.tensor, graph.logits}
    names: set[str] = set()
    for node in reversed(found):
        y = node.outputs["y"]
        readers = graph.readers(y)
        if y not in kept and all(n.name in names or n.operator.reads_constants for n in readers):
            names.add(node.name)
    return names
