"""tinyflash bench choose: schemes chosen by measurement against simple rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyflash.cli import options
from tinyflash.cli.scheme_option import Size
from tinyflash.errors import SchemeError
from tinyflash.files import cache_dir, write_json
from tinyflash.show.console import noting, output, say

if TYPE_CHECKING:
    from tinyflash.bench.choose.methods import Method
    from tinyflash.bench.choose.run import Row

_TASKS = ("faces", "fashion", "fashion-person", "activity", "digits", "keywords")
_FEW = ("faces", "fashion-person", "digits-person")
_METHODS = ("probes", "fisher", "ladder", "last", "biases", "weights")


def _listed(known: tuple[str, ...]) -> Callable[..., tuple[str, ...]]:
    """Returns a reader of names with commas between them."""

    def read(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
        names = tuple(part.strip() for part in (value or ",".join(known)).split(","))
        for name in names:
            if name not in known:
                raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
        return names

    return read


def _check(
    tasks: tuple[str, ...], known: tuple[str, ...], few_shot: bool, methods: tuple[str, ...]
) -> None:
    """Raises UsageError for tasks and methods that this comparison does not have."""
    for task in tasks:
        if task not in known:
            which = "with" if few_shot else "without"
            raise click.UsageError(f"--task {task}: {which} --few-shot it is {', '.join(known)}.")
    if few_shot and methods != _METHODS:
        raise click.UsageError("--few-shot compares probes with one scheme; leave --methods out.")


@click.command("choose", cls=options.Command)
@click.option(
    "--task", "tasks", type=click.Choice(tuple(dict.fromkeys((*_TASKS, *_FEW)))), multiple=True,
    help="Only this task; may be repeated.",
)  # fmt: skip
@click.option(
    "--budget", "budgets", type=Size(), multiple=True, metavar="SIZE",
    help="SRAM of arena, weights and state; may be repeated. Default: three of each task.",
)  # fmt: skip
@click.option("--tightest", is_flag=True, help="Only the smallest budget of each task.")
@click.option(
    "--seeds", type=click.IntRange(1), help="Seeds, from 0 on. Default: 3; 5 with --few-shot."
)
@click.option(
    "--methods", callback=_listed(_METHODS), metavar="NAMES",
    help=f"Only these, with commas between them, of {','.join(_METHODS)}.",
)  # fmt: skip
@click.option(
    "--few-shot", is_flag=True,
    help="Five samples of a class: chosen for each task, against one fixed scheme.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="one per core"
)
@click.option("--results", type=options.OUTPUT, help="The file of finished trainings.")
@click.option("--picture", type=options.OUTPUT, help="Draw the rows to this PNG file.")
@options.json_rows
def choose(
    tasks: tuple[str, ...],
    budgets: tuple[int, ...],
    tightest: bool,
    seeds: int | None,
    methods: tuple[str, ...],
    few_shot: bool,
    processes: int,
    results: Path | None,
    picture: Path | None,
    json_path: Path | None,
) -> None:
    """Compare what `choose` trains with simple rules, at equal SRAM.

    All methods get the same samples, epochs and grids of rates; a rate is chosen on validation
    samples, and accuracy is that of test samples. An interrupted run continues where it stopped.
    """
    from tinyflash.bench.choose.cells import Cells, few_cells, table_cells
    from tinyflash.bench.choose.methods import METHODS
    from tinyflash.bench.choose.picture import draw
    from tinyflash.bench.choose.results import claims, shown

    known = _FEW if few_shot else _TASKS
    _check(tasks, known, few_shot, methods)
    chosen: dict[str, Method] = {name: METHODS[name] for name in methods}
    cells: Cells = (
        few_cells(tasks or known, seeds or 5, budgets)
        if few_shot
        else table_cells(tasks or known, budgets, tightest, seeds or 3, chosen)
    )
    path = results or cache_dir() / "bench" / "choose" / "results.jsonl"
    rows: list[Row] = []
    with noting("choose", cells.count) as listen:
        for found in cells.run(path, processes, lambda text: listen(len(cells.done), text)):
            rows += found
            if json_path is not None:  # as far as it is, should the run be interrupted
                write_json(json_path, [asdict(row) for row in rows])
    for one in cells.failed:
        say(one)
    if not rows:
        raise SchemeError("bench choose: no method has a scheme within these budgets; raise them")
    output().print(shown(rows))
    for claim in claims(rows, few_shot):
        output().print(claim)
    if json_path is not None:
        say(f"wrote {json_path}")
    if picture is not None:
        draw(picture, rows)
        say(f"wrote {picture}")
