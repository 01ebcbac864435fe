"""Trains a candidate with the C library and judges it by held-out samples: a pure function.

The same graph, scheme, data and seed give the same bytes on every machine, so it does not matter
which worker has computed a result.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from tinyflash.compiler import Compiled, Prepared, compile_uncalibrated, prepare
from tinyflash.compiler.calibrate import calibrate
from tinyflash.compiler.plan import NONE
from tinyflash.errors import DataError, TinyflashError
from tinyflash.graph import Graph
from tinyflash.program import Program
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Scheme
from tinyflash.training.loop import Recipe, train
from tinyflash.training.samples import Samples
from tinyflash.training.scores import cross_entropy
from tinyflash.training.targets import objective_of

SCHEMES, PROGRAMS = 64, 4  # compiled, and programs of a seed, that a process keeps
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Trial:
    """One training: its scheme, the learning rate, passes over the samples, and the seed of their
    order and of the rounding."""

    scheme: Scheme
    rate: float
    epochs: int
    seed: int


@dataclass(frozen=True)
class Verdict:
    """What held-out samples say. loss: the mean, as of the scheme; accuracy: in percent, of a model
    that learns from labels. error: why the scheme cannot be compiled; "" if it can."""

    loss: float
    accuracy: float
    error: str = ""


@dataclass
class Compilations:
    """What was compiled so far in this process. forwards: halves that schemes share. schemes: the
    last ones, which other seeds need."""

    forwards: dict[object, Prepared] = field(default_factory=dict)
    schemes: dict[Scheme, Compiled] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What all trials of a search share. Samples are in stored integers. programs: the last ones,
    which other rates need."""

    graph: Graph
    train: Samples
    held_out: Samples
    compiled: Compilations = field(default_factory=Compilations, repr=False, compare=False)
    programs: dict[object, _Ready] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """Differs whenever a result could."""
        digest = hashlib.sha256(repr(self.graph).encode())
        for tensor in self.graph.constants():
            digest.update(np.ascontiguousarray(tensor.data).tobytes())
        for samples in (self.train, self.held_out):
            digest.update(samples.x.tobytes() + samples.y.tobytes())
        return digest.hexdigest()

    def key(self, trial: Trial) -> str:
        return hashlib.sha256(f"{self.digest} {trial!r}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Ready:
    """A compiled scheme, and its program with calibrated gradients."""

    prepared: Prepared
    raw: Compiled
    program: Program


def evaluate(context: Context, trial: Trial) -> Verdict:
    """Returns what training does to held-out samples. A scheme that cannot be compiled gets the
    error in its verdict."""
    try:
        return _judged(context, trial, _ready(context, trial))
    except DataError:
        raise
    except TinyflashError as error:
        return Verdict(float("inf"), 0.0, str(error))


def work(context: Context, trial: Trial) -> dict[str, Any]:
    """The same as JSON."""
    return asdict(evaluate(context, trial))


def _prepared(context: Context, scheme: Scheme) -> Prepared:
    """Returns the network ready for a scheme. The forward half is built once in a process."""
    decides = scheme.head, scheme.head_range, scheme.loss, scheme.dead_channels, bool(scheme.rules)
    forwards = context.compiled.forwards
    if decides not in forwards:
        forwards[decides] = prepare(context.graph, scheme)
    return forwards[decides].under(scheme)


def _ready(context: Context, trial: Trial) -> _Ready:
    """Returns what all rates of a scheme and a seed share."""
    key = trial.scheme, trial.seed
    if key not in context.programs:
        raw = _compiled(context, trial.scheme).seeded(trial.seed)
        samples = (context.train.x, context.train.y)
        program = calibrate(raw.program, samples, trial.seed)
        _keep(context.programs, key, _Ready(raw.prepared, raw, program), PROGRAMS)
    return context.programs[key]


def _compiled(context: Context, scheme: Scheme) -> Compiled:
    known = context.compiled.schemes
    if scheme not in known:
        prepared = _prepared(context, scheme)
        raw = compile_uncalibrated(prepared, effort=NONE, streamed=False)
        _keep(known, scheme, raw, SCHEMES)
    return known[scheme]


def _keep(kept: dict[K, V], key: K, value: V, most: int) -> None:
    """Adds a value, and forgets the oldest ones."""
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value


def _judged(context: Context, trial: Trial, ready: _Ready) -> Verdict:
    prepared, raw, samples = ready.prepared, ready.raw, context.train
    session = HostSession(ready.program)
    recipe = Recipe(trial.epochs, trial.rate, "cosine", trial.seed)
    objective = objective_of(prepared)
    every = raw.accumulate
    train(session, samples, recipe, objective=objective, accumulate=every)
    outputs = np.stack([session.infer(x) for x in context.held_out.x])
    if objective is not None:
        return Verdict(objective.of_outputs(outputs, context.held_out.y.astype(np.int8)), 0.0)
    tensor = raw.graph.tensors[raw.graph.output.tensor]
    scale, zero = (tensor.quant.scale[0], tensor.quant.zero) if tensor.quant else (1.0, 0)
    labels = context.held_out.y.astype(np.int64)
    scores = scale * (outputs.astype(np.float64) - zero)
    probable = raw.graph.logits != tensor.name and _is_probability(raw.graph)
    loss = cross_entropy(scores, labels, probabilities=probable)
    return Verdict(loss, 100.0 * float(np.mean(scores.argmax(axis=1) == labels)))


def _is_probability(graph: Graph) -> bool:
    maker = graph.producer(graph.output.tensor)
    return maker is not None and maker.op == "softmax"
