"""The pipeline: a graph, a scheme and a board in; a checked, planned program out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tinyflash import files, report
from tinyflash.boards import Board
from tinyflash.calibrate import Samples, calibrate
from tinyflash.errors import SchemeError
from tinyflash.footprint import Footprint, footprint_if_known
from tinyflash.graph import Graph
from tinyflash.lower import lower
from tinyflash.lower.layout import lay_out, with_weights
from tinyflash.lower.program import Planned
from tinyflash.passes.channels import restored
from tinyflash.passes.choose import choose_channels
from tinyflash.passes.dead import remove_dead
from tinyflash.passes.descend import descend
from tinyflash.passes.differentiate import differentiate
from tinyflash.passes.fold import fold_constants
from tinyflash.passes.fuse import fuse
from tinyflash.passes.head import attach_head
from tinyflash.passes.losses import mark_logits
from tinyflash.passes.order import order
from tinyflash.passes.prune import prune_to_output, prune_to_updates
from tinyflash.passes.recompute import recompute
from tinyflash.passes.scheme import Scheme, resolve
from tinyflash.passes.share import share
from tinyflash.passes.simplify import simplify
from tinyflash.passes.source import with_source
from tinyflash.passes.sparsify import sparsify
from tinyflash.passes.unit import with_input_unit
from tinyflash.plan import QUICK, Effort, check, plan
from tinyflash.program import Program
from tinyflash.verify import verify
from tinyflash.write import c


@dataclass(frozen=True)
class Compiled:
    """A program with the graphs and plans it was made from. `train` is None for inference alone;
    `whole`: the network with all of its channels."""

    program: Program
    infer: Planned
    train: Planned | None
    whole: Graph
    board: Board | None = None
    used: Footprint | None = None  # on the board, if that is known

    @property
    def graph(self) -> Graph:
        """The infer graph: its ports are how samples come in and results go out."""
        return self.infer.graph

    def learned(self, weights: bytes) -> Graph:
        """The network with the bytes of WEIGHTS that training left, to be written."""
        train = None if self.train is None else self.train.graph
        trainables = lay_out(self.infer.graph, train, seed=0).trainables
        return restored(self.whole, with_weights(self.infer.graph, trainables, weights))

    @cached_property
    def report(self) -> report.Report:
        return report.make_report(self.program, self.infer, self.train, self.board, self.used)

    def write(self, directory: str | Path) -> None:
        """model.c, model.h, report.json, .txt and .html, each whole or not at all."""
        directory = Path(directory)
        texts = {
            "model.c": c.source(self.program),
            "model.h": c.header(self.program),
            "report.txt": report.as_text(self.report),
            "report.html": report.as_html(self.report),
        }
        for name, text in texts.items():
            files.write_bytes(directory / name, text.encode())
        files.write_json(directory / "report.json", self.report)


def compile_model(
    graph: Graph,
    scheme: Scheme | None = None,
    board: Board | None = None,
    calibration: Samples | None = None,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
) -> Compiled:
    """Compiles for inference, or with a scheme for training as well.

    board: raises BoardError if the model cannot fit. calibration: samples in stored integers and
    labels, to start the gradients' exponents from. seed: of the stochastic rounding. row_source:
    a callback gives the input by rows (tiny_set_source), so that it need not lie in memory whole.
    effort: how long to look for the smallest arena.
    """
    raw = compile_uncalibrated(graph, scheme, seed, row_source, effort)
    used = None if board is None else footprint_if_known(raw.program, board)
    if board is not None:
        report.check_fits(raw.program, raw.infer, raw.train, board, used)
    return replace(raw, program=calibrate(raw.program, calibration, seed), board=board, used=used)


def compile_uncalibrated(
    graph: Graph,
    scheme: Scheme | None = None,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
) -> Compiled:
    """The same without a board, and before the gradients' exponents have a start: all of the memory
    is known, and nothing has run."""
    verify(graph)
    if scheme is None:
        whole = reduced(graph)
        reachable = prune_to_output(share(remove_dead(whole)))
        verify(reachable, after=whole)
        infer, train = _planned(reachable, row_source, effort), None
    else:
        whole = whole_graph(graph, scheme)
        full = training_graph(graph, scheme)
        forward, complete = prune_to_output(full), prune_to_updates(full)
        verify(forward, after=full)
        verify(complete, after=full)
        infer = _planned(forward, row_source, effort)
        train = _planned(complete, row_source, effort, scheme.recompute)
    return Compiled(lower(infer, train, seed), infer, train, whole)


def forward_graph(graph: Graph, scheme: Scheme) -> Graph:
    """What a scheme trains of a network: with its logits, without channels that cannot learn."""
    forward = whole_graph(graph, scheme)
    if scheme.dead_channels == "keep":
        return forward
    alive = remove_dead(forward)
    verify(alive, after=forward)
    return alive


def whole_graph(graph: Graph, scheme: Scheme) -> Graph:
    """The network as a scheme has it: with the logits named, and those of a new head if it asks."""
    graph = with_input_unit(graph)
    if scheme.head is not None:
        return reduced(attach_head(graph, scheme.head))
    return reduced(mark_logits(graph, scheme.loss))


def reduced(graph: Graph) -> Graph:
    """The same forward graph in fewer nodes."""
    for reduce in (fold_constants, simplify, fuse):
        before, graph = graph, reduce(graph)
        verify(graph, after=before)
    return graph


def training_graph(graph: Graph, scheme: Scheme) -> Graph:
    """Forward, backward and updates in one graph, for `prune` to take apart."""
    forward = forward_graph(graph, scheme)
    verify(forward)
    updates = resolve(scheme, forward)
    if not updates:
        raise SchemeError("scheme: trains nothing; name layers to update, or compile without it")
    chosen = choose_channels(forward, updates)
    verify(chosen, after=forward)
    full = differentiate(chosen, scheme.headroom, scheme.loss)
    verify(full, after=chosen)
    sparse = sparsify(full, updates)
    verify(sparse, after=full)
    complete = descend(sparse, scheme.optimizer, updates)
    verify(complete, after=sparse)
    shared = share(complete)
    verify(shared, after=complete)
    return shared


def _planned(graph: Graph, row_source: bool, effort: Effort, recomputes: bool = False) -> Planned:
    before, graph = graph, order(graph)
    if row_source:
        graph = with_source(graph)
    if recomputes:
        graph = recompute(graph, lambda other: plan(other).arena_bytes)
    verify(graph, after=before)
    placed = plan(graph, effort=effort)
    check(graph, placed)
    return Planned(graph, placed)
