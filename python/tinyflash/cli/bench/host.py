"""tinyflash bench host: time and memory of a training step, compared with PyTorch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import output, say, table
from tinyflash.zoo import published


@click.command(cls=options.Command)
@click.option(
    "--network",
    type=click.Choice(published.NETWORKS),
    default="mcunet-5fps",
    show_default=True,
    help="Network to train, with its smallest scheme.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=50, show_default=True, help="Steps of each."
)
@click.option("--json", "json_path", type=options.OUTPUT, help="Write the figures to this file.")
def host(network: str, steps: int, json_path: Path | None) -> None:
    """Compare a training step on this computer with PyTorch's.

    One thread each, batch 1, the same trained layers. Needs torch.
    """
    from tinyflash.bench.host import compare

    found = compare(network, steps)
    rows = table(f"A training step of {network}, {found.scheme}", "", ">ms", ">bytes of memory")
    for name, cost in (("tinyflash", found.tinyflash), ("PyTorch", found.pytorch)):
        rows.add_row(name, f"{cost.milliseconds:.2f}", f"{cost.bytes:,}")
    rows.add_row("ratio", f"{found.time_ratio:.2f}", f"{found.memory_ratio:,.0f}")
    rows.caption = (
        "Least processor time of a step. tinyflash: arena, trained weights and state; "
        "PyTorch: growth of the process's peak, torch included."
    )
    output().print(rows)
    if json_path is not None:
        write_json(json_path, asdict(found))
        say(f"wrote {json_path}")
