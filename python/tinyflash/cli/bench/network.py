"""tinyflash bench network: counts instructions of published networks on emulated boards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say, table

if TYPE_CHECKING:
    from tinyflash.bench.network import Measured


@click.command(cls=options.Command)
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@click.option(
    "--board", "boards", type=options.BOARD, multiple=True, help="Only this board; may be repeated."
)
@click.option(
    "--breakdown", is_flag=True, help="By operator and kind; for a Cortex-M4 also modelled cycles."
)
@click.option(
    "--clock",
    type=Number(min=1),
    metavar="MHZ",
    help="Show modelled milliseconds of a Cortex-M4 at this clock.",
)
@click.option(
    "--picture", type=options.OUTPUT, help="Draw steps by operator and kind to this PNG file."
)
@options.json_rows
def network(
    networks: tuple[str, ...],
    boards: tuple[str, ...],
    breakdown: bool,
    clock: float | None,
    picture: Path | None,
    json_path: Path | None,
) -> None:
    """Count instructions of published networks on emulated boards.

    Builds the firmware of each reference network with its smallest scheme, and runs an inference
    and a training step. Counts are instructions in QEMU, not cycles. Flash and SRAM are bytes.

    Kinds are sums of products, requantisation (also of gradients, and steps of weights), unpacking
    (and copying), and overhead. Modelled cycles are counts by class, times Arm's published timing
    of the Cortex-M4, with memory that never waits: an idea, not a measurement.
    """  # fmt: skip
    from tinyflash.bench.breakdown import tables
    from tinyflash.bench.breakdown.picture import draw

    detailed = breakdown or clock is not None or picture is not None
    measured = list(_measured(networks, boards, detailed))
    output().print(_table(measured))
    if breakdown:
        for one in measured:
            output().print(tables.breakdown_table(one))
    modelled = [one for one in measured if tables.is_modelled(one)]
    if modelled and (breakdown or clock is not None):
        output().print(tables.modelled_table(modelled, clock))
    elif clock is not None:
        say("--clock: cycles are modelled for a Cortex-M4 only, such as qemu_stm32f405")
    if json_path is not None:
        write_json(json_path, [tables.as_json(one) for one in measured])
        say(f"wrote {json_path}")
    if picture is not None:
        draw(picture, measured)
        say(f"wrote {picture}")


def _measured(networks: Sequence[str], boards: Sequence[str], detailed: bool) -> Iterator[Measured]:
    """Yields networks on boards, while a progress bar says which."""
    from tinyflash.bench.network import BOARDS, measure, subjects

    named, chosen = [load_board(b) for b in boards or BOARDS], list(subjects(networks))
    done, total = 0, len(named) * len(chosen)
    with noting("network", total) as listen:
        for board in named:
            with tempfile.TemporaryDirectory(prefix="tinyflash-") as work:
                for subject in chosen:
                    listen(done, f"{subject.network} {board.name}")
                    yield measure(subject, board, detailed, Path(work))
                    done += 1
        listen(total, "")


def _table(measured: Sequence[Measured]) -> Table:
    rows = table(
        "Instructions of a whole network",
        *("network", "scheme", "board", "set", ">inference", ">step", ">flash", ">SRAM"),
    )
    for row in (one.row for one in measured):
        counts = (f"{n:,}" for n in (row.infer, row.step, row.flash, row.sram))
        rows.add_row(row.network, row.scheme, row.board, row.set, *counts)
    return rows
