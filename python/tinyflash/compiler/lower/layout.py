"""The address of every tensor: constants in FLASH, trainables in WEIGHTS, scales in STATE, the rest
in the ARENA, at the plan's offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyflash.compiler.plan import Plan
from tinyflash.graph import ALIGNMENT, Array, Graph, Tensor
from tinyflash.program import Buffer, Space
from tinyflash.runtime import state

# Initial gain before calibration: a gradient is as large as the one that it is computed from.
INITIAL = state.Scale(exponent=-14, gain=-6)


@dataclass(frozen=True)
class Layout:
    """The buffers of the tensors of one or two graphs, and the initial bytes of their spaces."""

    constants: Mapping[str, Buffer]
    trainables: Mapping[str, Buffer]
    scales: Mapping[str, Buffer]  # by gradient tensor; views share the scale of their source
    flash: bytes
    weights: bytes
    state: bytes

    def buffer(self, graph: Graph, plan: Plan, tensor: str) -> Buffer:
        """Returns the buffer of a tensor of `graph`, given the plan of that graph."""
        for space in (self.constants, self.trainables):
            if tensor in space:
                return space[tensor]
        return Buffer(Space.ARENA, plan.offset(tensor))


def lay_out(infer: Graph, train: Graph | None, seed: int) -> Layout:
    """Lays out both graphs, which share constants and trainables by name."""
    tensors: dict[str, Tensor] = {}
    for graph in (train, infer):
        if graph is not None:
            tensors.update({t.name: t for t in graph.constants()})
    constants, flash = _pack([t for t in tensors.values() if t.kind == "constant"], Space.FLASH)
    trained = [t for t in tensors.values() if t.kind == "trainable"]
    trainables, weights = _pack(trained, Space.WEIGHTS)
    owners = scale_owners(train) if train is not None else {}
    scales = {
        tensor: Buffer(Space.STATE, state.scale_offset(index)) for tensor, index in owners.items()
    }
    return Layout(constants, trainables, scales, flash, weights, _state(seed, owners))


def _pack(tensors: list[Tensor], space: Space) -> tuple[dict[str, Buffer], bytes]:
    places: dict[str, Buffer] = {}
    image = bytearray()
    for tensor in tensors:
        places[tensor.name] = Buffer(space, len(image))
        assert tensor.data is not None
        image += np.ascontiguousarray(tensor.data).astype(f"<{_CODES[tensor.dtype]}").tobytes()
        image += bytes(-len(image) % ALIGNMENT)
    return places, bytes(image)


def with_weights(graph: Graph, trainables: Mapping[str, Buffer], weights: bytes) -> Graph:
    """Returns the graph with its trainables replaced by bytes of WEIGHTS in this layout."""
    learned = {
        name: replace(tensor, data=_unpacked(tensor, weights, trainables[name].offset))
        for name, tensor in graph.tensors.items()
        if tensor.kind == "trainable"
    }
    return replace(graph, tensors={**graph.tensors, **learned})


def _unpacked(tensor: Tensor, image: bytes, offset: int) -> Array:
    dtype = np.dtype(f"<{_CODES[tensor.dtype]}")
    values = np.frombuffer(image, dtype, tensor.size, offset)
    return values.astype(tensor.dtype).reshape(tensor.shape)


_CODES = {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}


def scale_owners(graph: Graph) -> dict[str, int]:
    """Returns the scale index of each gradient tensor, in order of production. The loss has 0."""
    owners: dict[str, int] = {}
    count = 0
    for node in graph.nodes:
        for tensor in node.outputs.values():
            if graph.tensors[tensor].kind != "gradient":
                continue
            if node.operator.view_of:
                owners[tensor] = owners[node.inputs[node.operator.view_of]]
            else:
                owners[tensor] = count
                count += 1
    return owners


def _state(seed: int, owners: Mapping[str, int]) -> bytes:
    count = len(set(owners.values()))
    header = state.Header(seed=seed & 0xFFFFFFFF)
    return state.pack(header, [INITIAL] * count)
