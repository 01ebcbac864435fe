"""When each piece of arena memory is in use: tensors grouped into storages, over node indices.

A reshape is a view of its input. Elementwise operators that may work in place (kernels.h says
which) do so when their operand dies there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.graph import Graph, Node

# Operators whose output may overwrite an operand, and the roles of such operands.
IN_PLACE = {"add": ("a", "b"), "mul": ("a", "b"), "lookup": ("x",), "gradient_add": ("a", "b")}
VIEWS = {"reshape": "x", "reshape_backward_input": "dy"}


@dataclass(frozen=True)
class Storage:
    """Bytes shared by `tensors`, live from node `first` through node `last` (inclusive)."""

    name: str
    tensors: tuple[str, ...]
    nbytes: int
    first: int
    last: int


def lifetimes(graph: Graph) -> tuple[Storage, ...]:
    """The storages of a graph. Input and target are live from the start, the output to the end."""
    last_read = _last_reads(graph)
    sampled = graph.producer(graph.input.tensor) is None  # else a source gives it, as it is needed
    given = [t for t in (graph.input.tensor if sampled else "", graph.target) if t]
    home = {tensor: tensor for tensor in given}
    storages = {tensor: _new(graph, tensor, -1, last_read) for tensor in given}
    for index, node in enumerate(graph.nodes):
        for tensor in node.outputs.values():
            host = _host(graph, node, index, home, storages)
            if host is None:
                home[tensor] = tensor
                storages[tensor] = _new(graph, tensor, index, last_read)
            else:
                home[tensor] = host
                storages[host] = _joined(storages[host], tensor, last_read.get(tensor, index))
    return tuple(storages.values())


def _last_reads(graph: Graph) -> dict[str, int]:
    last = {t: i for i, n in enumerate(graph.nodes) for t in n.inputs.values()}
    last[graph.output.tensor] = len(graph.nodes)
    return last


def _new(graph: Graph, tensor: str, index: int, last_read: dict[str, int]) -> Storage:
    last = last_read.get(tensor, index)
    return Storage(tensor, (tensor,), graph.tensors[tensor].nbytes, index, last)


def _joined(storage: Storage, tensor: str, last: int) -> Storage:
    tensors = (*storage.tensors, tensor)
    return replace(storage, tensors=tensors, last=max(storage.last, last))


def _host(
    graph: Graph, node: Node, index: int, home: dict[str, str], storages: dict[str, Storage]
) -> str | None:
    """The storage that a node's output lives in when it needs none of its own."""
    if node.op in VIEWS:
        return home[node.inputs[VIEWS[node.op]]]
    (output,) = node.outputs.values()
    for role in IN_PLACE.get(node.op, ()):
        operand = node.inputs.get(role)
        if operand is not None and operand in home:
            storage = storages[home[operand]]
            same_size = storage.nbytes == graph.tensors[output].nbytes
            if storage.last == index and same_size:
                return storage.name
    return None
