"""Computes the peak SRAM of training for published and well-known networks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyflash.boards import Board, kernels_for
from tinyflash.boards.footprint import footprint
from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.costs import multiply_adds
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import QUICK, Effort
from tinyflash.compiler.plan.calls import rows_computed
from tinyflash.errors import DataError
from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.scheme import Scheme, scheme
from tinyflash.show.report.summary import peak
from tinyflash.zoo import published
from tinyflash.zoo.reference import reference_network
from tinyflash.zoo.sources import mlperf_tiny

# Networks of MLPerf Tiny: name, file, and a scheme of the package.
_TINY = {
    "person detector": ("visual_wake_words", "person_faces"),
    "ResNet8": ("image_classification", "resnet_fashion"),
    "DS-CNN": ("keyword_spotting", "keywords"),
}
NETWORKS = (*published.NETWORKS, *_TINY)


@dataclass(frozen=True)
class Subject:
    """A network with a scheme."""

    network: str
    scheme: str
    graph: Graph
    update: Scheme


@dataclass(frozen=True)
class Row:
    """The SRAM of one subject, in bytes. `total` is the sum of the fields before it.

    stack, static: of library and executor on a board. scratch: additional memory of kernels.
    lower_bound: no plan of these calls has a smaller arena. recomputed_macs: repeated multiply-adds
    in a training step. seconds: of compilation.
    """

    network: str
    scheme: str
    arena: int
    trainable: int
    state: int
    stack: int
    static: int
    scratch: int
    total: int
    lower_bound: int
    recomputed_macs: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A row, and its arena's peak: the operation, and the live buffers."""

    row: Row
    peak: str
    buffers: tuple[tuple[str, int], ...]


def subjects(networks: Sequence[str] = ()) -> Iterator[Subject]:
    """Returns the given networks, or all of NETWORKS, with each of their schemes."""
    for name in networks or NETWORKS:
        if name in _TINY:
            file, update = _TINY[name]
            yield Subject(name, update, read(mlperf_tiny(file)), scheme(update))
        elif name in published.NETWORKS:
            graph = reference_network(name)
            for label, sparse in published.schemes(name).items():
                yield Subject(name, label, graph, sparse)
        else:
            raise DataError(f"no network {name!r}; choose one of {', '.join(NETWORKS)}")


def measure(
    subject: Subject, board: Board, row_source: bool = False, effort: Effort = QUICK
) -> Measured:
    """Compiles a subject for a board. The board may be too small."""
    start = time.perf_counter()
    compiled = compile_model(
        subject.graph,
        subject.update,
        row_source=row_source,
        effort=effort,
        kernels=kernels_for(board),
    )
    seconds = time.perf_counter() - start
    parts = _parts(compiled, board)
    top = peak(compiled.fuller)
    return Measured(
        Row(
            network=subject.network,
            scheme=subject.scheme,
            **parts,
            total=sum(parts.values()),
            lower_bound=compiled.lower_bound,
            recomputed_macs=recomputed(compiled),
            seconds=round(seconds, 3),
        ),
        top["operation"],
        tuple((buffer["name"], buffer["bytes"]) for buffer in top["buffers"]),
    )


def _parts(compiled: Compiled, board: Board) -> dict[str, int]:
    program = compiled.program
    used = footprint(program, board)
    return {
        "arena": program.arena_bytes,
        "trainable": len(program.weights),
        "state": len(program.state),
        "stack": used.stack_bytes,
        "static": used.static_bytes,
        "scratch": used.scratch_bytes,
    }


def recomputed(compiled: Compiled) -> int:
    """Returns the multiply-adds of the forward layers in a training step, minus those of an
    inference."""
    assert compiled.train is not None
    once = sum(multiply_adds(compiled.graph, node) for node in compiled.graph.nodes)
    return _forward(compiled.train) - once


def _forward(planned: Planned) -> int:
    """Returns the multiply-adds of the calls of forward layers, by the rows that they compute."""
    graph = planned.graph
    total = 0
    for call in planned.plan.calls:
        node = graph.nodes[call.node]
        if node.operator.weighted:
            total += multiply_adds(graph, node) * call.count // rows_computed(graph, node)
    return total
