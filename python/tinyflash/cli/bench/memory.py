"""tinyflash bench memory: computes the SRAM of published networks and schemes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.compiler.plan import Effort
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say, table

if TYPE_CHECKING:
    from tinyflash.bench.memory import Measured

_BYTES = ("arena", "lower_bound", "trainable", "state", "stack", "static", "scratch", "total")


@click.command(cls=options.Command)
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@options.rows
@options.effort
@click.option(
    "--board",
    type=options.BOARD,
    default="qemu_mps2_an500",
    show_default=True,
    help="Board for the stack.",
)
@options.json_rows
@click.option("--verbose", "-v", is_flag=True, help="Also print the buffers at the peak.")
def memory(
    networks: tuple[str, ...],
    rows: bool,
    effort: Effort,
    board: str,
    json_path: Path | None,
    verbose: bool,
) -> None:
    """Compute the SRAM of a training step for published networks.

    Covers the reference networks with all published schemes, and others. Builds and runs nothing:
    the figures come from the plans. All are bytes.
    """
    from tinyflash.bench.memory import measure, subjects

    target, every = load_board(board), list(subjects(networks))
    measured = []
    with noting("memory", len(every)) as listen:
        for done, subject in enumerate(every):
            listen(done, f"{subject.network} {subject.scheme}")
            measured.append(measure(subject, target, rows, effort))
        listen(len(every), "")
    output().print(_table(measured))
    if verbose:
        for one in measured:
            output().print(_peak(one), soft_wrap=True)
    if json_path is not None:
        write_json(json_path, [asdict(one.row) for one in measured])
        say(f"wrote {json_path}")


def _table(measured: list[Measured]) -> Table:
    rows = table(
        "SRAM of a training step, bytes",
        *("network", "scheme", *(f">{name.replace('_', ' ')}" for name in _BYTES)),
        *(">MAC again", ">seconds", "peak at"),
    )
    for before, one in zip([None, *measured], measured, strict=False):
        if before is not None and before.row.network != one.row.network:
            rows.add_section()
        numbers = [f"{getattr(one.row, name):,}" for name in _BYTES]
        numbers += [f"{one.row.recomputed_macs:,}", f"{one.row.seconds:.2f}"]
        rows.add_row(one.row.network, one.row.scheme, *numbers, one.peak.split()[-1])
    return rows


def _peak(one: Measured) -> str:
    alive = ", ".join(f"{name} {size:,}" for name, size in one.buffers)
    return f"{one.row.network} {one.row.scheme}, at {one.peak}: {alive}"
