"""Fisher information: how much a network's channels matter, from one pass over few samples.

TinyTrain (Kwon et al., 2024): D of a channel is 1/(2N) times the sum over N samples of (the sum
over positions of activation times gradient)^2; P of a layer is the sum over its channels. The
layer's score is P, over its weights and its multiply-adds as shares of the largest ones.

The C library computes it (SPEC 15), as a board does. A new classifier begins at zero and passes on
no gradient, so all would be 0: it learns first, alone, which needs no backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinyflash.compiler import Compiled, Prepared, compile_uncalibrated
from tinyflash.compiler.calibrate import calibrate
from tinyflash.compiler.costs import multiply_adds
from tinyflash.compiler.lower.layout import lay_out
from tinyflash.compiler.passes.channels import region_of
from tinyflash.compiler.passes.choose import channel_numbers
from tinyflash.compiler.plan import NONE
from tinyflash.graph import Graph, Node
from tinyflash.layers import groups_of
from tinyflash.program import Buffer, Program
from tinyflash.runtime.host import HostSession
from tinyflash.scheme.rules import ALL_LAYERS
from tinyflash.search.space import Space
from tinyflash.training.loop import Recipe, train
from tinyflash.training.samples import Samples
from tinyflash.training.targets import objective_of

SAMPLES = 64  # at most
UNIT_START = 96  # SPEC 15.2
HEAD = Recipe(epochs=20, rate=0.1)  # of the classifier alone

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """D of the channels of maps, by the name of the map, from N samples."""

    graph: Graph
    d: Mapping[str, Reals]

    def of_layer(self, node: Node) -> float:
        """Returns P of a layer: 0 if it was not judged."""
        return float(self.d.get(node.outputs["y"], np.zeros(1)).sum())

    def of_channels(self, node: Node) -> Reals | None:
        """Returns D of the channels that a share of a layer is made of: of x, of a depthwise layer
        of y. None if they were not judged."""
        d = self.d.get(node.inputs["x"])
        if node.operator.depthwise:
            y = self.d.get(node.outputs["y"])
            step = 1 if y is None else y.size // len(channel_numbers(self.graph, node))
            d = None if y is None else y.reshape(-1, step).sum(axis=1)
        return d


def judge_channels(prepared: Prepared, samples: Samples, seed: int = 0) -> Judgement:
    """Judges all channels that the gradient reaches, by at most SAMPLES samples of all classes."""
    chosen = few(samples, SAMPLES)
    compiled = judging(prepared)
    weights = _with_learned_head(prepared, compiled, chosen, seed)
    program = replace(compiled.program, weights=weights)
    program = calibrate(program, (chosen.x, chosen.y), seed)
    session = HostSession(program)
    for x, y in zip(chosen.x, chosen.y, strict=True):
        if program.target_bytes:
            session.train_on_target(x, y.astype(np.int8), 0.0)
        else:
            session.train_step(x, int(y), 0.0)
    return read_judgement(compiled, session.weights, len(chosen.x))


def judging(prepared: Prepared) -> Compiled:
    """Compiles what judges all channels of a network, and trains its classifier."""
    assert prepared.scheme is not None
    scheme = replace(prepared.scheme, rules=(), fisher=ALL_LAYERS)
    return compile_uncalibrated(prepared.under(scheme), effort=NONE, streamed=False)


def few(samples: Samples, count: int) -> Samples:
    """Returns at most `count` samples; if they have labels, of all classes as evenly as can be."""
    if samples.y.ndim != 1:
        return replace(samples, x=samples.x[:count], y=samples.y[:count])
    rank = np.zeros(len(samples.y), np.int64)
    for label in np.unique(samples.y):
        mine = samples.y == label
        rank[mine] = np.arange(mine.sum())
    order = np.sort(np.argsort(rank, kind="stable")[:count])
    return replace(samples, x=samples.x[order], y=samples.y[order])


def places(compiled: Compiled) -> Mapping[str, Buffer]:
    """Returns where trained tensors are in WEIGHTS, by name."""
    train_graph = None if compiled.train is None else compiled.train.graph
    return lay_out(compiled.infer.graph, train_graph, seed=0).trainables


def read_judgement(compiled: Compiled, weights: bytes, count: int) -> Judgement:
    """Returns D in real units (SPEC 15.3) from the bytes of WEIGHTS, of any session or board, after
    `count` samples."""
    at, found = places(compiled), {}
    assert compiled.train is not None
    graph = compiled.train.graph
    for node in graph.nodes:
        if node.op == "fisher":
            y = graph.tensors[node.inputs["y"]]
            d = np.frombuffer(weights, "<u4", 1 + y.shape[-1], at[node.inputs["d"]].offset)
            scale = 1.0 if y.quant is None else y.quant.scale[0]
            unit = np.ldexp(scale**2 / (2 * max(count, 1)), int(d[0]) - UNIT_START)
            found[y.name] = d[1:] * unit
    return Judgement(compiled.prepared.forward, found)


def _with_learned_head(
    prepared: Prepared, compiled: Compiled, samples: Samples, seed: int
) -> bytes:
    """Returns WEIGHTS of the program that judges, with a classifier that has learned, if it is
    new."""
    weights = bytearray(compiled.program.weights)
    assert prepared.scheme is not None
    if prepared.scheme.head is None:
        return bytes(weights)
    scheme = replace(prepared.scheme, rules=(), fisher=0)
    alone = compile_uncalibrated(prepared.under(scheme), effort=NONE, streamed=False)
    learned = _learned(alone.program, prepared, samples, seed)
    sizes = {t.name: t.nbytes for t in alone.infer.graph.constants()}
    there = places(compiled)
    for name, buffer in places(alone).items():
        start, to = buffer.offset, there.get(name)
        if to is not None and name in sizes:
            weights[to.offset : to.offset + sizes[name]] = learned[start : start + sizes[name]]
    return bytes(weights)


def _learned(program: Program, prepared: Prepared, samples: Samples, seed: int) -> bytes:
    session = HostSession(calibrate(program, (samples.x, samples.y), seed))
    train(session, samples, replace(HEAD, seed=seed), objective=objective_of(prepared))
    return session.weights


# ---- Gains ---------------------------------------------------------------------------------------


@dataclass
class FisherGains:
    """What parts of a network gain, by their Fisher information: P, since the knapsack knows bytes
    already. priced: TinyTrain's score, which chose worse (docs/fisher.md)."""

    space: Space
    judgement: Judgement
    priced: bool = False
    scores: dict[str, float] = field(init=False)
    known: dict[tuple[str, float], float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        graph, body = self.space.prepared.forward, self.space.body
        weights = {n.name: self.space.weights(n) for n in body}
        macs = {n.name: multiply_adds(graph, n) for n in body}
        most_weights, most_macs = max(weights.values(), default=1), max(macs.values(), default=1)
        self.scores = {}
        for node in body:
            price = weights[node.name] / most_weights * macs[node.name] / most_macs
            self.scores[node.name] = self.judgement.of_layer(node) / (price if self.priced else 1)

    def of_depth(self, _depth: int) -> float:
        return 0.0

    def of_layer(self, name: str, ratio: float) -> float:
        """Returns the score of a layer times the share of its best channels in their D."""
        if (name, ratio) not in self.known:
            self.known[name, ratio] = self._of_layer(name, ratio)
        return self.known[name, ratio]

    def _of_layer(self, name: str, ratio: float) -> float:
        node = next(n for n in self.space.body if n.name == name)
        d = self.judgement.of_channels(node)
        if d is None or not d.sum() or ratio == 1:
            return self.scores[name] * ratio
        count = max(1, int(ratio * d.size + 0.5))
        best = np.sort(d)[::-1] if name in self.space.channels else d
        return self.scores[name] * float(best[:count].sum() / d.sum())


def with_best_channels(space: Space, judgement: Judgement) -> Space:
    """Returns the space in which shares of layers are their channels of largest D, where the order
    of channels is free."""
    graph = space.prepared.forward
    fixed: set[str] = set()
    found = {}
    for node in space.body:
        d = judgement.of_channels(node)
        free = d is not None and d.any() and groups_of(node) == 1
        if free and region_of(graph, node.inputs["x"], fixed) is not None:
            assert d is not None
            numbers = np.array(channel_numbers(graph, node))
            found[node.name] = tuple(numbers[np.argsort(-d, kind="stable")].tolist())
    return replace(space, channels=found)
