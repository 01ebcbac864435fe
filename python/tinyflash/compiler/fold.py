"""Computes at compile time the tensors that do not depend on the network's input.

The C library computes them, with the kernels that would run on the device.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflash.compiler.lower import lower
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import plan
from tinyflash.graph import Graph, Node, Port, Tensor
from tinyflash.runtime.host import HostSession


def fold_constants(graph: Graph) -> Graph:
    """Replaces the nodes that read only constants by their results."""
    foldable = _foldable(graph)
    folded: dict[str, Tensor] = {}
    for node in graph.nodes:
        if node.name in foldable:
            known = replace(graph, tensors={**graph.tensors, **folded})
            folded[node.outputs["y"]] = _computed(known, node)
    kept = (node for node in graph.nodes if node.name not in foldable)
    return graph.with_nodes(kept, folded.values())


def _computed(graph: Graph, node: Node) -> Tensor:
    """Computes the result of a node that reads only constants, as a constant."""
    y = graph.tensors[node.outputs["y"]]
    if node.operator.view_of:
        source = graph.tensors[node.inputs[node.operator.view_of]]
        return replace(y, kind="constant", data=np.asarray(source.data).reshape(y.shape))
    port = Port(y.name, "int8", y.shape, y.quant)
    part = replace(graph, output=port, target="", logits="").with_nodes([node])
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
