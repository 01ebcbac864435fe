"""The forward half of a compilation: the network as a scheme trains it, before any gradient.

Targets, a budget and the compiler itself all start from it, so that it is built once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.compiler.fold import fold_constants
from tinyflash.compiler.passes.dead import remove_dead
from tinyflash.compiler.passes.fuse import fuse
from tinyflash.compiler.passes.head import attach_head
from tinyflash.compiler.passes.losses import mark_logits, target_quant
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.simplify import simplify
from tinyflash.compiler.passes.unit import with_input_unit
from tinyflash.compiler.verify import verify
from tinyflash.graph import Graph, Port
from tinyflash.scheme import Scheme


@dataclass(frozen=True)
class Prepared:
    """A network and what is to become of it. `scheme` is None for inference alone.

    whole: the network with all of its channels; with a scheme, its logits are named, and those of a
    new head where the scheme asks for one. forward: without the channels that cannot learn.
    """

    scheme: Scheme | None
    whole: Graph
    forward: Graph

    @property
    def target(self) -> Port | None:
        """How targets are stored; None where the model learns from labels, or not at all."""
        if self.scheme is None or not self.scheme.loss.has_target:
            return None
        logits = self.forward.tensors[self.forward.logits]
        quant = target_quant(logits, self.scheme.loss)
        return Port("target", "float32", (1, logits.size), quant)

    def under(self, scheme: Scheme) -> Prepared:
        """The same network under other rules: head, loss and dead_channels must be the same."""
        assert self.scheme is not None
        assert replace(scheme, rules=(), recompute=False) == replace(
            self.scheme, rules=(), recompute=False
        )
        return replace(self, scheme=scheme)


def prepare(graph: Graph, scheme: Scheme | None = None) -> Prepared:
    """A network as it was read, made ready for inference, or for training under a scheme."""
    verify(graph)
    if scheme is None:
        whole = _reduced(graph)
        forward = share(remove_dead(whole))
        verify(forward, after=whole)
        return Prepared(None, whole, forward)
    named = _with_logits(with_input_unit(graph), scheme)
    verify(named, after=graph)
    whole = _reduced(named)
    forward = whole if scheme.dead_channels == "keep" else remove_dead(whole)
    verify(forward, after=whole)
    return Prepared(scheme, whole, forward)


def _with_logits(graph: Graph, scheme: Scheme) -> Graph:
    """The network with the tensor named that the loss reads."""
    if scheme.head is None:
        return mark_logits(graph, scheme.loss)
    return attach_head(graph, scheme.head)


def _reduced(graph: Graph) -> Graph:
    """The same forward graph, which has been verified, in fewer nodes."""
    for reduce in (fold_constants, simplify, fuse):
        before, graph = graph, reduce(graph)
        verify(graph, after=before)
    return graph
