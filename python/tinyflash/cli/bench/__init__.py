"""tinyflash bench: measures speed on this computer, memory, and accuracy."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tinyflash.cli import options
from tinyflash.cli.bench.anomaly import anomaly
from tinyflash.cli.bench.choose import choose
from tinyflash.cli.bench.design import design
from tinyflash.cli.bench.endurance import endurance
from tinyflash.cli.bench.host import host
from tinyflash.cli.bench.kernels import kernels
from tinyflash.cli.bench.live import live
from tinyflash.cli.bench.memory import memory
from tinyflash.cli.bench.network import network
from tinyflash.cli.bench.quantize import quantize
from tinyflash.cli.bench.store import store
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say


@click.group()
def bench() -> None:
    """Measure speed, memory and accuracy."""


bench.add_command(anomaly)
bench.add_command(choose)
bench.add_command(design)
bench.add_command(endurance)
bench.add_command(host)
bench.add_command(kernels)
bench.add_command(live)
bench.add_command(memory)
bench.add_command(network)
bench.add_command(quantize)
bench.add_command(store)


@bench.command(cls=options.Command)
@click.option("--quick", is_flag=True, help="One seed, fewer samples, two epochs; takes minutes.")
@click.option("--json", "json_path", type=options.OUTPUT, help="Write every run to this file.")
@click.option("--picture", type=options.OUTPUT, help="Draw the table to this PNG file.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--foreign", is_flag=True, help="Also the foreign tasks: watch, digits-resnet.")
@click.option("--method", "methods", multiple=True, help="Only this method; may be repeated.")
@click.option("--ours", is_flag=True, help="Only tinyflash's methods; they need no torch.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The first seed."
)
@click.option("--fresh", is_flag=True, help="Ignore the stored results of earlier runs.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one per core",
)
def accuracy(
    quick: bool,
    json_path: Path | None,
    picture: Path | None,
    tasks: tuple[str, ...],
    foreign: bool,
    methods: tuple[str, ...],
    ours: bool,
    seed: int,
    fresh: bool,
    processes: int,
) -> None:
    """Compare accuracy: int8 training, float training, training less.

    Each method's rate is chosen on validation samples and scored on test samples. An interrupted
    run continues where it stopped.
    """
    from tinyflash.bench.accuracy.picture import draw
    from tinyflash.bench.accuracy.results import as_json, mark, tables
    from tinyflash.bench.accuracy.run import chosen_methods, chosen_tasks, effort, run
    from tinyflash.bench.accuracy.store import Store

    what, how = chosen_tasks(tasks, foreign), chosen_methods(methods, ours)
    with noting("accuracy", len(what) * len(how)) as listen:
        results = run(what, how, effort(quick, seed), Store(fresh=fresh), processes, listen)
    for rows in tables(results):
        output().print(rows)
    if quick:
        output().print("Quick: one seed, few samples and steps; the figures are a smoke test.")
    for claim in results.claims:
        output().print(f"{mark(claim.holds):>3}  {claim.text}")
    if json_path is not None:
        write_json(json_path, as_json(results))
        say(f"wrote {json_path}")
    if picture is not None:
        draw(picture, results)
        say(f"wrote {picture}")
