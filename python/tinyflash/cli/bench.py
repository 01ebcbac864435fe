"""tinyflash bench: speed on this computer."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from tinyflash.cli.endurance import endurance
from tinyflash.compiler import compile_model
from tinyflash.console import output, table
from tinyflash.demo.task import RATE, load_task, scheme
from tinyflash.host import Session


@click.group()
def bench() -> None:
    """Measure speed."""


bench.add_command(endurance)


@bench.command()
@click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True)
def host(seconds: float) -> None:
    """Inferences and training steps per second on one core, with the demo's network and scheme."""
    task = load_task(0)
    session = Session(compile_model(task.graph, scheme("person_faces")).program)
    x, y = task.train.x, task.train.y
    count = len(y)
    rows = table("One core, the demo's network", "", ">per second", ">ms each")
    for name, act in (
        ("inference", lambda i: session.infer(x[i % count])),
        ("training step", lambda i: session.train_step(x[i % count], int(y[i % count]), RATE)),
    ):
        rate = _per_second(act, seconds)
        rows.add_row(name, f"{rate:.0f}", f"{1000 / rate:.2f}")
    output().print(rows)


def _per_second(act: Callable[[int], object], seconds: float) -> float:
    """How often `act` runs in a second, after one run that warms up."""
    act(0)
    start = time.perf_counter()
    done = 0
    while (elapsed := time.perf_counter() - start) < seconds or done == 0:
        act(done)
        done += 1
    return done / elapsed
