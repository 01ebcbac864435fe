"""Chooses what a found network trains on its board, as `choose` does: candidates learn from samples
that the network has not learned from, and others judge them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyflash.boards import Board
from tinyflash.compiler import Compiled, Prepared
from tinyflash.graph import Graph
from tinyflash.runtime.units import encode
from tinyflash.search.choose import Chooser, Finalist, Size, judged
from tinyflash.search.choose import Limits as Most
from tinyflash.search.designs.cost import Limits, measured
from tinyflash.search.designs.effort import Choosing
from tinyflash.search.designs.jobs import Here, Pool, Results
from tinyflash.search.designs.task import Part, held_out
from tinyflash.search.engine.engine import Engine, is_verdict
from tinyflash.search.engine.evaluate import Context, work
from tinyflash.search.engine.pool import ProcessPool
from tinyflash.search.fisher import few
from tinyflash.search.probes import Judge, probe
from tinyflash.search.space import Space
from tinyflash.training.samples import Samples

LARGEST = 256  # samples to learn from, and as many that judge
_FISHER = 3  # proposals


@dataclass(frozen=True)
class Learning:
    """Samples in stored integers; of both some, or there is nothing to judge by."""

    train: Samples
    held_out: Samples

    @property
    def judges(self) -> bool:
        return len(self.train) > 0 and len(self.held_out) > 0


def learning(graph: Graph, unseen: Part, seed: int) -> Learning:
    """Splits samples that the network has not learned from: a half of each class learns, the other
    half judges."""
    parts = held_out(unseen, 0.5, seed)
    encoded = (Samples(encode(graph.input, part.x), part.y.astype(np.int64)) for part in parts)
    return Learning(*(few(samples, LARGEST) for samples in encoded))


@dataclass
class Heard:
    """Passes on what an engine tells of its trainings. stage: begins with a number of pieces. done:
    one of them is."""

    stage: Callable[[str, int], object]
    done: Callable[[str], object]
    what: str = field(default="", init=False)
    of: int = field(default=-1, init=False)
    count: int = field(default=0, init=False)

    def begin(self, what: str) -> None:
        self.what, self.of = what, -1

    def heard(self, done: int, of: int) -> None:
        if of and (of != self.of or done < self.count):
            self.stage(self.what, of)
            self.of, self.count = of, 0
        while self.count < done:
            self.done("")
            self.count += 1


@dataclass(frozen=True)
class Place:
    """Where a network is to learn, and what trains candidates: workers, and the file of results."""

    board: Board
    limits: Limits
    processes: int
    results: Path


def ranked(
    base: Prepared, macs: int, samples: Learning, effort: Choosing, place: Place, heard: Heard
) -> list[Finalist]:
    """Returns schemes that are planned to fit, the lowest held-out loss first. base: the network,
    with a scheme without rules. Raises SchemeError if not even the classifier can learn."""
    chooser = _chooser(base, macs, place)
    _ = chooser.proposer
    if not samples.judges:
        return chooser.rules()
    context = Context(base.source, samples.train, samples.held_out)
    with _workers(context, place.processes) as pool:
        engine = Engine(context, pool, Results(place.results, is_verdict), told=heard.heard)
        return _judged(chooser, engine, effort, heard)


def _workers(context: Context, count: int) -> AbstractContextManager[Pool]:
    """Opens as many worker processes; for 1, this process works."""
    return nullcontext(Here(work, context)) if count == 1 else ProcessPool(work, context, count)


def _chooser(base: Prepared, macs: int, place: Place) -> Chooser:
    """Returns a chooser that counts flash with code, and instructions on the board's core."""
    limits = place.limits

    def sized(made: Compiled) -> Size:
        cost = measured(macs, made, place.board)
        return Size(cost.sram, limits.flash_of(cost), cost.step)

    most = Most(limits.sram, limits.flash, limits.step)
    return Chooser(Space.of(base), most, place.board, sized=sized)


def _judged(chooser: Chooser, engine: Engine, effort: Choosing, heard: Heard) -> list[Finalist]:
    judge = Judge(engine, effort.epochs)
    heard.stage("proposes what to train", 1)
    finalists = chooser.others(engine.context.train, _FISHER)
    heard.done("")
    if effort.probes:
        gains = probe(chooser.space, judge.short(), heard.begin, chooser.proposer.fits)
        finalists += chooser.by_gains("probe", gains)
    return judged(finalists, judge, heard.begin)
