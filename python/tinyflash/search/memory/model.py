"""The SRAM of a candidate scheme, in milliseconds instead of a compilation.

Everything that does not depend on a scheme is computed once for a network: its gradients, the order
of execution, the plan of inference, what chains of layers need row by row, and where an output may
overwrite an operand. Of a scheme it then takes only when maps are live, and how much of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tinyflash.compiler import Prepared
from tinyflash.compiler.kernels import KernelSets, kernel_sets
from tinyflash.compiler.pipeline import inference_arena
from tinyflash.graph import ALIGNMENT, Graph, aligned
from tinyflash.layers import weight_of
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES
from tinyflash.scheme import LayerUpdate, Scheme, resolve
from tinyflash.scheme.optimizer import Optimizer
from tinyflash.search.memory.canonical import Canonical
from tinyflash.search.memory.forward import Forward
from tinyflash.search.memory.timeline import Timeline
from tinyflash.sources import REFERENCE

# The planner meets the lower bound of nearly all plans, and is close to it in the others. Where a
# quick placement does not meet it, this share of SRAM is added to the bound.
MARGIN = 0.029
_WARM = 8  # schemes tried at once, so that what they share is not in the time of the first ones


@dataclass(frozen=True)
class Memory:
    """The bytes of a scheme in each space. `sram`: their sum, without library, firmware and
    stack."""

    arena: int
    weights: int
    state: int

    @property
    def sram(self) -> int:
        return self.arena + self.weights + self.state


class MemoryModel:
    """Of one network. prepared: its scheme gives head, loss and optimizer; its rules do not
    count."""

    def __init__(
        self, prepared: Prepared, kernels: Sequence[str] = (REFERENCE,), row_source: bool = False
    ) -> None:
        self.prepared, self.row_source = prepared, row_source
        self.sets: KernelSets = kernel_sets(kernels)
        self.canonical = Canonical.of(prepared, row_source)
        inferred = self.canonical.as_inferred(prepared.forward)
        self.timelines = [Timeline.of(c, self.sets) for c in _distinct(self.canonical, inferred)]
        self.forwards = [Forward(timeline) for timeline in self.timelines]
        self._warm()

    @cached_property
    def inference(self) -> int:
        """The arena of inference, which no scheme changes."""
        return inference_arena(self.prepared, self.sets, self.row_source)

    def of(self, scheme: Scheme) -> Memory:
        """Returns the memory of a scheme. Raises SchemeError if it does not fit the network."""
        return self.of_updates(resolve(scheme, self.prepared.forward), scheme.optimizer)

    def of_updates(self, updates: Mapping[str, LayerUpdate], optimizer: Optimizer) -> Memory:
        """Returns the memory of a scheme that is resolved already."""
        moments = [timeline.under(updates) for timeline in self.timelines]
        weights = self.weights(updates, optimizer)
        state = HEADER_BYTES + SCALE_BYTES * moments[0].scales
        bound, placed = min(
            forward.arena(moment, self.inference)
            for forward, moment in zip(self.forwards, moments, strict=True)
        )
        margin = int(MARGIN * (bound + weights + state))
        return Memory(min(placed, bound + margin // ALIGNMENT * ALIGNMENT), weights, state)

    def _warm(self) -> None:
        """Computes what schemes have in common: the plan of inference, and the rows of runs."""
        last = [one for one in self.canonical.layers.values() if one.reached]
        optimizer = Optimizer()
        for part in range(1, _WARM + 1):
            chosen = last[len(last) - len(last) * part // _WARM :]
            for kept in (0, 1):
                self.of_updates(
                    {
                        c.node.name: LayerUpdate(
                            c.channels * kept, c.channels, "b" in c.node.inputs
                        )
                        for c in chosen
                    },
                    optimizer,
                )

    def saved_bytes(self, layer: str) -> int:
        """Returns the bytes of the input that training all of a layer keeps."""
        node = self.canonical.layers[layer].node
        return self.prepared.forward.tensors[node.inputs["x"]].nbytes

    def weights(self, updates: Mapping[str, LayerUpdate], optimizer: Optimizer) -> int:
        """Returns the exact bytes of WEIGHTS."""
        graph = self.prepared.forward
        return sum(self._of_layer(graph, name, u, optimizer) for name, u in updates.items())

    def _of_layer(self, graph: Graph, name: str, update: LayerUpdate, optimizer: Optimizer) -> int:
        node, total = self.canonical.layers[name].node, 0
        if update.kept:
            weights = sum(graph.tensors[w].nbytes for w in weight_of(node))
            trained = weights * update.kept // update.channels
            total += aligned(trained)
            total += aligned(2 * trained) if optimizer.has_velocity else 0
            total += aligned(trained) if optimizer.master else 0
        if update.bias and "b" in node.inputs:
            biases = graph.tensors[node.inputs["b"]].nbytes
            total += biases * (2 if optimizer.has_velocity else 1)
        return total


def _distinct(*given: Canonical) -> list[Canonical]:
    """Returns those with different orders."""
    found: dict[tuple[tuple[str, str], ...], Canonical] = {}
    for one in given:
        found.setdefault(tuple((n.op, n.name) for n in one.graph.nodes), one)
    return list(found.values())
