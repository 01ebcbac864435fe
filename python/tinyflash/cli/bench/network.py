"""tinyflash bench network: counts instructions of published networks on emulated boards."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say, table


@click.command(cls=options.Command)
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@click.option(
    "--board", "boards", type=options.BOARD, multiple=True, help="Only this board; may be repeated."
)
@options.json_rows
def network(networks: tuple[str, ...], boards: tuple[str, ...], json_path: Path | None) -> None:
    """Count instructions of published networks on emulated boards.

    Builds the firmware of each reference network with its smallest scheme, and runs an inference
    and a training step. Counts are instructions in QEMU, not cycles. Flash and SRAM are bytes.
    """
    from tinyflash.bench.network import BOARDS, measure, subjects

    every = [(load_board(b), subject) for subject in subjects(networks) for b in boards or BOARDS]
    measured = []
    with noting("network", len(every)) as listen:
        for done, (board, subject) in enumerate(every):
            listen(done, f"{subject.network} {board.name}")
            measured.append(measure(subject, board))
        listen(len(every), "")
    rows = table(
        "Instructions of a whole network",
        *("network", "scheme", "board", "set", ">inference", ">step", ">flash", ">SRAM"),
    )
    for one in measured:
        counts = (f"{n:,}" for n in (one.infer, one.step, one.flash, one.sram))
        rows.add_row(one.network, one.scheme, one.board, one.set, *counts)
    output().print(rows)
    if json_path is not None:
        write_json(json_path, [asdict(one) for one in measured])
        say(f"wrote {json_path}")
