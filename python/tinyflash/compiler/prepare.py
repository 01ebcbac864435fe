"""The forward half of a compilation: prepares the network that a scheme trains, without gradients.

Targets, the budget search and the compiler all start from it, so it is built only once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.compiler.fold import fold_constants
from tinyflash.compiler.passes.fuse import fuse
from tinyflash.compiler.passes.head import attach_head
from tinyflash.compiler.passes.losses import mark_logits, target_quant
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.silent import remove_silent
from tinyflash.compiler.passes.simplify import simplify
from tinyflash.compiler.passes.unit import with_input_unit
from tinyflash.compiler.verify import verify
from tinyflash.errors import InternalError, ModelError
from tinyflash.graph import Graph, Port
from tinyflash.scheme import Scheme


@dataclass(frozen=True)
class Prepared:
    """A network and its training scheme. `scheme` is None for inference only.

    whole: the network with all of its channels; with a scheme, its logits are named, and it has the
    new head if the scheme sets one. forward: the same without the channels that cannot learn.
    source: the network as read.
    """

    scheme: Scheme | None
    whole: Graph
    forward: Graph
    source: Graph

    @property
    def target(self) -> Port | None:
        """How targets are stored. None if the model learns from labels, or not at all."""
        if self.scheme is None or not self.scheme.loss.has_target:
            return None
        logits = self.forward.tensors[self.forward.logits]
        quant = target_quant(logits, self.scheme.loss)
        return Port("target", "float32", (1, logits.size), quant)

    def under(self, scheme: Scheme) -> Prepared:
        """Returns the same network with other rules. Head, loss and dead_channels, which decide the
        forward half, must be equal."""
        before = self.scheme
        if before is None or _decides(before) != _decides(scheme):
            raise InternalError("a prepared network cannot change its head, loss or dead channels")
        if scheme.head is not None and bool(scheme.rules) != bool(before.rules):
            return prepare(self.source, scheme)  # its range may differ
        return replace(self, scheme=scheme)


def _decides(scheme: Scheme) -> tuple[object, ...]:
    """What of a scheme decides the forward half."""
    return scheme.head, scheme.head_range, scheme.loss, scheme.dead_channels


def prepare(graph: Graph, scheme: Scheme | None = None) -> Prepared:
    """Prepares a network, as read, for inference, or for training with a scheme."""
    if graph.unread and (scheme is None or scheme.head is None):
        raise ModelError(graph.unread)
    verify(graph)
    if scheme is None:
        whole = _reduced(graph)
        forward = share(remove_silent(whole))
        verify(forward, after=whole)
        return Prepared(None, whole, forward, graph)
    named = _with_logits(with_input_unit(graph), scheme)
    verify(named, after=graph)
    whole = _reduced(named)
    forward = whole if scheme.dead_channels == "keep" else remove_silent(whole)
    verify(forward, after=whole)
    return Prepared(scheme, whole, forward, graph)


def _with_logits(graph: Graph, scheme: Scheme) -> Graph:
    """Returns the network with `logits` set to the tensor that the loss reads."""
    if scheme.head is None:
        return mark_logits(graph, scheme.loss)
    return attach_head(graph, scheme.head, scheme.head_range, alone=not scheme.rules)


def _reduced(graph: Graph) -> Graph:
    """Returns the same forward graph, which must be verified, with fewer nodes."""
    for reduce in (fold_constants, simplify, fuse):
        before, graph = graph, reduce(graph)
        verify(graph, after=before)
    return graph
