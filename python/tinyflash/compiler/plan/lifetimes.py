"""Finds when each piece of arena memory is in use: tensors in storages, over the calls of a plan.

A reshape is a view of its input. An elementwise operator that may work in place (kernels.h says
which) does so if it is the last reader of its operand. A ring is as large as its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyflash.compiler.plan.calls import Call, Order, rows_of
from tinyflash.graph import Graph, Node


@dataclass(frozen=True)
class Storage:
    """Bytes shared by `tensors`, live from call `first` to call `last`, inclusive. scratch: of
    kernels, whose names stand for tensors."""

    name: str
    tensors: tuple[str, ...]
    nbytes: int
    first: int
    last: int
    scratch: bool = False


def scratch_of(node: Node) -> str:
    """Returns the name of a node's scratch, which is no tensor of the graph."""
    return f"{node.op} {node.name} (scratch)"


@dataclass(frozen=True)
class Span:
    """The first and the last call of a node."""

    first: int
    last: int


def spans(calls: Sequence[Call]) -> dict[int, Span]:
    """Returns the calls of each node, by its number."""
    found: dict[int, Span] = {}
    for index, call in enumerate(calls):
        first = found[call.node].first if call.node in found else index
        found[call.node] = Span(first, index)
    return found


def lifetimes(graph: Graph, order: Order, in_place: bool = True) -> tuple[Storage, ...]:
    """Returns the storages of a graph. The tensors that the caller writes (input, target) are live
    from the start, the output to the end. in_place: elementwise operators share the storage of an
    operand."""
    return (*_Lives(graph, order, in_place).storages(), *_scratches(graph, order))


def _scratches(graph: Graph, order: Order) -> list[Storage]:
    """Returns the scratch of kernels. Nodes whose calls take turns share one storage, since only
    one kernel runs at a time."""
    found: list[Storage] = []
    by_start = sorted(spans(order.calls).items(), key=lambda item: item[1].first)
    for index, span in by_start:
        node = graph.nodes[index]
        if not node.scratch:
            continue
        if found and found[-1].last >= span.first:
            shared = found.pop()
            names = (*shared.tensors, scratch_of(node))
            nbytes, last = max(shared.nbytes, node.scratch), max(shared.last, span.last)
            found.append(Storage(names[0], names, nbytes, shared.first, last, scratch=True))
        else:
            name = scratch_of(node)
            found.append(Storage(name, (name,), node.scratch, span.first, span.last, scratch=True))
    return found


class _Lives:
    """Assigns tensors to storages, node by node."""

    def __init__(self, graph: Graph, order: Order, in_place: bool) -> None:
        self.graph, self.rings, self.in_place = graph, order.rings, in_place
        self.spans = spans(order.calls)
        self.last_read: dict[str, int] = {}
        for index, node in enumerate(graph.nodes):  # later nodes may end before earlier ones
            for tensor in node.inputs.values():
                last = self.last_read.get(tensor, -1)
                self.last_read[tensor] = max(last, self.spans[index].last)
        self.last_read[graph.output.tensor] = len(order.calls)
        self.home = {tensor: tensor for tensor in graph.given}
        self.found = {tensor: self._new(tensor, Span(-1, -1)) for tensor in self.home}

    def storages(self) -> tuple[Storage, ...]:
        for index, node in enumerate(self.graph.nodes):
            for tensor in node.outputs.values():
                host = self._host(node, self.spans[index])
                if host is None:
                    self.home[tensor] = tensor
                    self.found[tensor] = self._new(tensor, self.spans[index])
                else:
                    self.home[tensor] = host
                    self._join(host, tensor, self.spans[index])
        return tuple(self.found.values())

    def _nbytes(self, tensor: str) -> int:
        whole = self.graph.tensors[tensor].nbytes
        if tensor not in self.rings:
            return whole
        return whole // rows_of(self.graph, tensor) * self.rings[tensor]

    def _new(self, tensor: str, span: Span) -> Storage:
        last = max(self.last_read.get(tensor, span.last), span.last)
        return Storage(tensor, (tensor,), self._nbytes(tensor), span.first, last)

    def _join(self, host: str, tensor: str, span: Span) -> None:
        storage = self.found[host]
        last = max(storage.last, self.last_read.get(tensor, span.last), span.last)
        tensors = (*storage.tensors, tensor)
        self.found[host] = replace(storage, tensors=tensors, last=last)

    def _host(self, node: Node, span: Span) -> str | None:
        """Returns the storage that a node's output shares; None if it needs its own."""
        if node.operator.view_of:
            return self.home[node.inputs[node.operator.view_of]]
        (output,) = node.outputs.values()
        for role in node.operator.in_place if self.in_place else ():
            operand = node.inputs.get(role)
            if operand is not None and operand in self.home:
                storage = self.found[self.home[operand]]
                same_size = storage.nbytes == self._nbytes(output)
                if storage.last == span.first == span.last and same_size:
                    return storage.name
        return None
