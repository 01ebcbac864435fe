"""The pipeline: a graph, a scheme and a board in; a checked, planned program out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflash.errors import ModelError
from tinyflash.graph import Graph
from tinyflash.lower import lower
from tinyflash.lower.program import Planned
from tinyflash.passes.differentiate import differentiate
from tinyflash.passes.head import attach_head, mark_logits
from tinyflash.passes.prune import prune_to_output, prune_to_updates
from tinyflash.passes.scheme import Scheme, resolve
from tinyflash.passes.sparsify import sparsify
from tinyflash.plan import Plan, check, plan
from tinyflash.program import Program
from tinyflash.verify import verify


@dataclass(frozen=True)
class Compiled:
    """A program with the graphs and plans it was made from. `train` is None for inference alone."""

    program: Program
    infer: Planned
    train: Planned | None

    @property
    def infer_plan(self) -> Plan:
        return self.infer.plan

    @property
    def train_plan(self) -> Plan | None:
        return None if self.train is None else self.train.plan

    @property
    def graph(self) -> Graph:
        """The larger of the two: the train graph where there is one."""
        return self.infer.graph if self.train is None else self.train.graph


def compile_model(graph: Graph, scheme: Scheme | None = None, seed: int = 0) -> Compiled:
    """Compiles for inference, or with a scheme for training as well. `seed`: of the rounding."""
    verify(graph)
    if scheme is None:
        infer = _planned(prune_to_output(graph))
        return Compiled(lower(infer, None, seed), infer, None)
    full = training_graph(graph, scheme)
    train, infer = _planned(prune_to_updates(full)), _planned(prune_to_output(full))
    program = lower(infer, train, seed)
    if not program.weights:
        raise ModelError("the scheme trains nothing; name layers to update, or compile without it")
    return Compiled(program, infer, train)


def training_graph(graph: Graph, scheme: Scheme) -> Graph:
    """Forward, backward and updates in one graph, for `prune` to take apart."""
    forward = mark_logits(graph) if scheme.head is None else attach_head(graph, scheme.head)
    verify(forward)
    updates = resolve(scheme, forward)
    full = differentiate(forward, scheme.headroom)
    verify(full)
    sparse = sparsify(full, updates)
    verify(sparse)
    return sparse


def with_state(compiled: Compiled, state: bytes) -> Compiled:
    """The same program starting from another state, such as calibrated exponents."""
    return replace(compiled, program=replace(compiled.program, state=state))


def _planned(graph: Graph) -> Planned:
    verify(graph)
    placed = plan(graph)
    check(graph, placed)
    return Planned(graph, placed)
