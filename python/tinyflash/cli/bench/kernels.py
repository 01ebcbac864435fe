"""tinyflash bench kernels: counts instructions of single kernels on emulated boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say, table

if TYPE_CHECKING:
    from tinyflash.bench.kernels.run import Measured


@click.command(cls=options.Command)
@click.option(
    "--board", "boards", type=options.BOARD, multiple=True, help="Only this board; may be repeated."
)
@click.option("--picture", type=options.OUTPUT, help="Draw the table to this PNG file.")
@options.json_rows
def kernels(boards: tuple[str, ...], picture: Path | None, json_path: Path | None) -> None:
    """Count instructions of single kernels on emulated boards.

    Each row is one call of the kernel that the compiler chooses for a layer, and what it takes for
    each multiply-add, or element. The ratio compares it with the better of CMSIS-NN and TinyEngine,
    where they were measured on the same core. Counts are instructions in QEMU, not cycles.
    """
    from tinyflash.bench.kernels.cases import CASES
    from tinyflash.bench.kernels.picture import draw
    from tinyflash.bench.kernels.run import measure
    from tinyflash.bench.network import BOARDS

    named = [load_board(board) for board in boards or BOARDS]
    measured: list[Measured] = []
    with noting("kernels", len(named) * len(CASES)) as listen:
        for board in named:
            listen(len(measured), board.name)
            for one in measure(board, CASES):
                measured.append(one)
                listen(len(measured), board.name)
    output().print(_table(measured))
    if json_path is not None:
        write_json(json_path, [asdict(one.row) for one in measured])
        say(f"wrote {json_path}")
    if picture is not None:
        draw(picture, measured)
        say(f"wrote {picture}")


def _table(measured: Sequence[Measured]) -> Table:
    columns = ("board", "kernel", "shape", "set", ">instructions", ">per unit", ">ratio", "peer")
    rows = table("Instructions of a call", *columns)
    for one in measured:
        row, per = one.row, f"{one.per_unit:.2f}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        peer = "" if one.peer is None else f"{one.peer.name} {one.peer.instructions:,}"
        counted = (f"{row.instructions:,}", per, ratio, peer)
        rows.add_row(row.board, row.kernel, row.shape, row.set, *counted)
    rows.caption = (
        "Unit: a multiply-add, of pools and sums an element. Ratio: of the better peer's "
        "instructions on the same core."
    )
    return rows
