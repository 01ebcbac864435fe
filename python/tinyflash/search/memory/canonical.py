"""The training graph of a network in which every layer is trained, once for all schemes.

Every layer that the gradient reaches trains its bias and as few of its channels as possible. So
each node that any scheme can have is here, in an order that suits small saved maps; a scheme
chooses some of the nodes, and the sizes of what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.compiler import Prepared
from tinyflash.compiler.kernels import KernelSets, with_scratch
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.order import order
from tinyflash.compiler.passes.prune import prune_to_updates
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.source import with_source
from tinyflash.compiler.passes.sparsify import sparsify
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Node
from tinyflash.layers import groups_of, in_channels, multiplier_of
from tinyflash.scheme import LayerUpdate


@dataclass(frozen=True)
class Layer:
    """A layer that can be trained, or one that the gradient does not reach. unit: channels that are
    trained together."""

    node: Node
    channels: int
    unit: int
    reached: bool

    @property
    def least(self) -> int:
        """The fewest channels that can be trained."""
        return self.channels if groups_of(self.node) > 1 else self.unit


@dataclass(frozen=True)
class Canonical:
    """full: the differentiated graph, before anything is split. graph: as the docstring of this
    module says, in its order of execution. layers: by name."""

    full: Graph
    graph: Graph
    layers: dict[str, Layer]

    @staticmethod
    def of(prepared: Prepared, row_source: bool) -> Canonical:
        """Returns the graph in the order for schemes that save something of every layer."""
        scheme, forward = prepared.scheme, prepared.forward
        if scheme is None:
            raise InternalError("a memory model needs a scheme, for its head and its loss")
        full = differentiate(forward, scheme.headroom, scheme.loss)
        reached = {node.layer for node in full.nodes if node.op.endswith("_update")}
        layers = {
            n.name: Layer(n, in_channels(forward, n), multiplier_of(forward, n), n.name in reached)
            for n in forward.nodes
            if n.operator.weighted
        }
        least = {
            name: LayerUpdate(layer.least, layer.channels, "b" in layer.node.inputs)
            for name, layer in layers.items()
            if layer.reached
        }
        graph = order(prune_to_updates(sparsify(share(full), least)))
        return Canonical(full, with_source(graph) if row_source else graph, layers)

    def as_inferred(self, forward: Graph) -> Canonical:
        """Returns the graph with its forward nodes in the order of inference, which schemes have
        where they save nothing."""
        ranks = {(n.op, n.name): i for i, n in enumerate(order(forward).nodes)}
        moved = sorted(
            (n for n in self.graph.nodes if (n.op, n.name) in ranks),
            key=lambda n: ranks[n.op, n.name],
        )
        saves = [n for n in self.graph.nodes if n.operator.stage == "saved"]
        others = [n for n in self.graph.nodes if n not in moved and n not in saves]
        given = (self.graph.input.tensor, self.graph.target)
        nodes: list[Node] = [n for n in others if n.op == "source"]
        for node in (None, *moved):
            made = given if node is None else tuple(node.outputs.values())
            nodes += [] if node is None else [node]
            nodes += [s for s in saves if set(s.inputs.values()) & set(made)]
        nodes += [n for n in others if n.op != "source"]
        return replace(self, graph=replace(self.graph, nodes=tuple(nodes)))

    def scratch(self, name: str, kept: int, sets: KernelSets) -> dict[str, tuple[int, bool]]:
        """Returns what the kernels of a layer use if it trains so many channels, by operator:
        scratch, and whether they work at once."""
        layer = self.layers[name]
        own = tuple(n for n in self.full.nodes if n.name == name and n.op.startswith(layer.node.op))
        update = {name: LayerUpdate(kept, layer.channels, False)} if kept else {}
        alone = with_scratch(sparsify(replace(self.full, nodes=own), update), sets)
        return {n.op: (n.scratch, n.at_once) for n in alone.nodes}
