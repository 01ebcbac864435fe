"""The pipeline: compiles a network and a scheme to a checked, planned program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyflash.compiler.calibrate import Samples, calibrate, check_samples
from tinyflash.compiler.kernels import KernelSets, kernel_sets, with_scratch
from tinyflash.compiler.longest import Bound, Counted, bounded
from tinyflash.compiler.lower import lower
from tinyflash.compiler.lower.layout import lay_out, with_weights
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.passes.channels import restored
from tinyflash.compiler.passes.choose import check_listed, choose_channels
from tinyflash.compiler.passes.descend import descend
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.judge import judged_maps
from tinyflash.compiler.passes.order import order
from tinyflash.compiler.passes.prune import prune_to_output, prune_to_updates
from tinyflash.compiler.passes.recompute import recompute
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.source import with_source
from tinyflash.compiler.passes.sparsify import sparsify
from tinyflash.compiler.plan import QUICK, Effort, check, plan
from tinyflash.compiler.preconditions import check_arena, check_preconditions, check_program
from tinyflash.compiler.prepare import Prepared, prepare
from tinyflash.compiler.tied import warn_of_tied
from tinyflash.compiler.verify import verify
from tinyflash.errors import DataError, ModelError, SchemeError
from tinyflash.graph import Graph
from tinyflash.program import Program
from tinyflash.scheme import Scheme, resolve
from tinyflash.scheme.resolve import choices
from tinyflash.sources import REFERENCE


@dataclass(frozen=True)
class Compiled:
    """A program with the graphs and plans it was made from. `train` is None for inference only.
    `prepared`, `kernels`, `effort`: what it was compiled from, and how long the planner
    searched."""

    program: Program
    infer: Planned
    train: Planned | None
    prepared: Prepared
    kernels: KernelSets
    effort: Effort

    @property
    def whole(self) -> Graph:
        """The network with all of its channels."""
        return self.prepared.whole

    @property
    def graph(self) -> Graph:
        """The infer graph. Its ports describe the input samples and the results."""
        return self.infer.graph

    @property
    def fuller(self) -> Planned:
        """The plan with the larger arena: inference or training."""
        if self.train is None or self.train.plan.arena_bytes < self.infer.plan.arena_bytes:
            return self.infer
        return self.train

    @property
    def emptier(self) -> Planned | None:
        """The other plan; None for inference only."""
        return self.train if self.fuller is self.infer else self.infer

    @property
    def accumulate(self) -> int:
        """The samples per update of the weights."""
        nodes = () if self.train is None else self.train.graph.nodes
        return max((node.descent.every for node in nodes if node.operator.updates), default=1)

    @property
    def lower_bound(self) -> int:
        """The smallest arena, in bytes, that any plan of these graphs can have."""
        return max(p.plan.lower_bound for p in (self.infer, self.train) if p is not None)

    def counted(self, core: str) -> dict[str, Counted]:
        """Returns the tables, "infer" and perhaps "train", with the instructions of their calls on
        a core (kernels/instructions.py)."""
        program = self.program
        found = {"infer": Counted.of(self.infer, program.infer, program.infer_calls, core)}
        if self.train is not None:
            found["train"] = Counted.of(self.train, program.train, program.train_calls, core)
        return found

    def seeded(self, seed: int) -> Compiled:
        """Returns the same with another seed of the stochastic rounding, without planning again."""
        return replace(self, program=lower(self.infer, self.train, seed, self.kernels))

    def arena_by_rows(self) -> int:
        """Returns the bytes of the arena that compilation with row_source makes of the same."""
        infer, train = _plans(self.prepared, self.kernels, True, self.effort)
        return max(p.plan.arena_bytes for p in (infer, train) if p is not None)

    def learned(self, weights: bytes) -> Graph:
        """Returns the network with trained weights, ready to be written. weights: the bytes of
        WEIGHTS after training. Raises DataError if they have another size."""
        if len(weights) != len(self.program.weights):
            raise DataError(
                f"weights: {len(weights)} bytes given, this model has {len(self.program.weights)}"
            )
        train = None if self.train is None else self.train.graph
        trainables = lay_out(self.infer.graph, train, seed=0).trainables
        return restored(self.whole, with_weights(self.infer.graph, trainables, weights))


def compile_model(
    graph: Graph | Prepared,
    scheme: Scheme | None = None,
    calibration: Samples | None = None,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
    kernels: Sequence[str] = (REFERENCE,),
    streamed: bool = True,
    longest_call: Bound | None = None,
) -> Compiled:
    """Compiles a network for inference; with a scheme, also for training.

    graph: a network as read, or a Prepared one, which brings its own scheme. calibration: samples
    in stored integers with labels or stored targets, from which the gradients' exponents start;
    None: noise. seed: of the stochastic rounding. row_source: a callback delivers the input by rows
    (tiny_set_source), so the input need not be in memory as a whole. effort: how long to search for
    the smallest arena. kernels: kernel sets, preferred first (Board.kernels). streamed: runs chains
    of layers row by row where that needs less memory; False: a call for each row of the table.
    longest_call: calls are cut by rows until none takes more instructions.
    Raises ModelError, SchemeError or DataError, with a one-line message.
    """
    if isinstance(graph, Prepared) and scheme is not None:
        raise SchemeError("scheme: a prepared network has its own; give the scheme to prepare()")
    prepared = graph if isinstance(graph, Prepared) else prepare(*_checked(graph, scheme))
    if calibration is not None and prepared.scheme is not None:
        check_samples(calibration, prepared.target is not None)
    raw = compile_uncalibrated(prepared, seed, row_source, effort, kernels, streamed, longest_call)
    if prepared.scheme is not None:
        warn_of_tied(prepared.forward, resolve(prepared.scheme, prepared.forward))
    return replace(raw, program=calibrate(raw.program, calibration, seed))


def _checked(graph: Graph, scheme: Scheme | None) -> tuple[Graph, Scheme | None]:
    """Returns both. Raises a one-line error for what is neither: the name of a file, say."""
    if not isinstance(graph, Graph):
        raise ModelError(f"{graph!r:.60} is not a network; read a file with tinyflash.read(path)")
    if not isinstance(scheme, Scheme | None):
        raise SchemeError(
            f"{scheme!r:.60} is not a scheme; read a file with tinyflash.load_scheme(path)"
        )
    return graph, scheme


def compile_uncalibrated(
    prepared: Prepared,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
    kernels: Sequence[str] = (REFERENCE,),
    streamed: bool = True,
    longest_call: Bound | None = None,
) -> Compiled:
    """Compiles without calibration: all memory sizes are known, and nothing has run."""
    sets = kernel_sets(kernels)
    infer, train = _plans(prepared, sets, row_source, effort, streamed)
    program = lower(infer, train, seed, sets)
    compiled = Compiled(program, infer, train, prepared, sets, effort)
    if longest_call is not None:
        plans = bounded(compiled.counted(longest_call.core), longest_call, effort)
        infer, train = plans["infer"], plans.get("train")
        compiled = replace(
            compiled, program=lower(infer, train, seed, sets), infer=infer, train=train
        )
    check_program(compiled.program)
    return compiled


def _plans(
    prepared: Prepared, sets: KernelSets, row_source: bool, effort: Effort, streamed: bool = True
) -> tuple[Planned, Planned | None]:
    """Returns graph and plan of inference and of training."""
    scheme = prepared.scheme
    full = prepared.forward if scheme is None else training_graph(prepared)
    inference = _verified(prune_to_output(full), full)
    infer = _planned(inference, sets, row_source, effort, streamed)
    if scheme is None:
        return infer, None
    complete = _verified(prune_to_updates(full), full)
    return infer, _planned(complete, sets, row_source, effort, streamed, scheme.recompute)


def inference_arena(prepared: Prepared, kernels: KernelSets, row_source: bool = False) -> int:
    """Returns the bytes of the arena of inference, whatever of the network is trained."""
    graph = prune_to_output(share(prepared.forward))
    return _planned(graph, kernels, row_source, QUICK, streamed=True).plan.arena_bytes


def training_graph(prepared: Prepared) -> Graph:
    """Builds one graph of forward, backward and updates, which `prune` splits afterwards."""
    scheme, forward = prepared.scheme, prepared.forward
    assert scheme is not None
    updates = resolve(scheme, forward)
    if not updates:
        raise SchemeError("scheme: trains nothing; name layers to update, or compile without it")
    check_listed(forward, choices(scheme, forward))
    chosen = _verified(choose_channels(forward, updates), forward)
    judged = judged_maps(chosen, scheme.fisher)
    full = _verified(differentiate(chosen, scheme.headroom, scheme.loss, judged), chosen)
    sparse = _verified(sparsify(full, updates), full)
    complete = _verified(descend(sparse, scheme.optimizer, updates), sparse)
    return _verified(share(complete), complete)


def _verified(graph: Graph, after: Graph) -> Graph:
    """Verifies and returns `graph`, which a pass made from `after`."""
    verify(graph, after)
    return graph


def _planned(
    graph: Graph,
    kernels: KernelSets,
    row_source: bool,
    effort: Effort,
    streamed: bool,
    recomputes: bool = False,
) -> Planned:
    ready = order(graph)
    if row_source:
        ready = with_source(ready)
    if recomputes:  # before kernels are chosen: the network is the same on every board
        ready = recompute(ready, lambda other: plan(other).arena_bytes)
    ready = with_scratch(ready, kernels)
    verify(ready, after=graph)
    check_preconditions(ready)
    placed = plan(ready, streamed, effort)
    check_arena(ready.name, placed.arena_bytes)
    check(ready, placed)
    return Planned(ready, placed)
