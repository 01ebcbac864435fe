"""The instructions of the calls of a model, counted in the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lib.build import ROOT, build_for_board, run

from tinyflash.boards import Board, counted_core
from tinyflash.compiler import Compiled
from tinyflash.compiler.longest import Counted
from tinyflash.graph import Graph, Node
from tinyflash.program import SOURCE, Row
from tinyflash.sources import library_sources
from tinyflash.write.model import write_model

SOURCES = [*library_sources(ROOT), ROOT / "tests" / "lib" / "time_calls.c"]


@dataclass(frozen=True)
class CountedCall:
    """A call of a table row for some rows of a node, and the instructions that it took."""

    graph: Graph
    node: Node
    row: Row
    rows: int
    took: int
    stated: int | None  # what the compiler says at most; None: it does not know


def counted_calls(compiled: Compiled, board: Board, folder: Path) -> list[CountedCall]:
    """The calls to infer, and those of two training steps."""
    took = iter(_counts(compiled, board, folder))
    tables = compiled.counted(counted_core(board))
    order = [tables["infer"], *[tables["train"]] * 2] if "train" in tables else [tables["infer"]]
    found = [call for counted in order for call in _calls(counted, took)]
    assert next(took, None) is None
    return found


def _calls(counted: Counted, took: Iterator[int]) -> Iterator[CountedCall]:
    graph = counted.planned.graph
    for call in counted.planned.plan.calls:
        node = graph.nodes[call.node]
        if node.op == SOURCE:
            next(took)
        for row in counted.table.get(call.node, ()):
            stated = counted.of_row(row, call.node, call.count)
            yield CountedCall(graph, node, row, call.count, next(took), stated)


def _counts(compiled: Compiled, board: Board, folder: Path) -> list[int]:
    assert board.qemu is not None
    write_model(compiled, folder)
    program = build_for_board([*SOURCES, folder / "model.c"], folder, board)
    options = ("-icount", f"shift={board.qemu.icount_shift}")
    outcome = run(program, folder, board, seconds=600, options=options)
    assert outcome.status == 0, outcome.text
    return [round(int(line) / board.qemu.ticks_per_instruction) for line in outcome.text.split()]
