"""tinyflash bench design: searched networks against random search and the zoo."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.cli.number_option import Number
from tinyflash.cli.scheme_option import Size
from tinyflash.errors import BoardError, BuildError
from tinyflash.files import cache_dir, write_json
from tinyflash.search.designs.design import KINDS, Kind
from tinyflash.show.console import noting, output, say, table

if TYPE_CHECKING:
    from tinyflash.bench.design.run import Row, SpaceRow

_TASKS = ("digits", "activity", "fashion", "keywords")
_METHODS = ("design", "random", "zoo")
_SPACES = "spaces"


@click.command("design", cls=options.Command)
@click.option(
    "--task", "tasks", type=click.Choice(_TASKS), multiple=True,
    help="Only this task; may be repeated.",
)  # fmt: skip
@click.option(
    "--method", "methods", type=click.Choice((*_METHODS, _SPACES)), multiple=True,
    help=f"Only this method; may be repeated. {_SPACES}: do multiply-adds foretell accuracy?",
)  # fmt: skip
@click.option(
    "--budget", "budgets", type=Size(), multiple=True, metavar="SIZE",
    help="SRAM; may be repeated. Default: 64KB, 128KB, 256KB.",
)  # fmt: skip
@click.option(
    "--minutes", type=Number(0.1), default=30, show_default=True,
    help="Of each search, on two cores.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(1), default=3, show_default=True,
    help=f"Networks of a space that {_SPACES} trains.",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(KINDS), default="bottleneck", show_default=True,
    help=f"Blocks of the networks that {_SPACES} trains.",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--board", type=options.BOARD, default="stm32f746_discovery", show_default=True)
@click.option(
    "--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="one per core"
)
@options.json_rows
def design(
    tasks: tuple[str, ...],
    methods: tuple[str, ...],
    budgets: tuple[int, ...],
    minutes: float,
    draws: int,
    kind: Kind,
    seeds: int,
    board: str,
    processes: int,
    json_path: Path | None,
) -> None:
    """Compare searched networks with random search in equal minutes, and with the zoo.

    All are trained alike and judged in int8 on test samples. An interrupted run continues where it
    stopped. Needs torch.
    """
    from tinyflash.bench.design.run import Bench, compare, correlate
    from tinyflash.search.designs.trial import check_torch

    check_torch()
    bench = Bench(load_board(board), minutes, processes, cache_dir() / "bench" / "design")
    wanted = methods or (*_METHODS, _SPACES)
    cells = [
        (task, budget, seed, method)
        for task in tasks or _TASKS
        for budget in budgets or (64 << 10, 128 << 10, 256 << 10)
        for method in wanted
        if method != _SPACES
        for seed in range(seeds)
    ]
    rows: list[Row] = []
    spaces: list[SpaceRow] = []
    ranks: dict[str, float] = {}
    studied = (tasks or _TASKS) if _SPACES in wanted else ()
    with noting("design", len(cells) + len(studied)) as listen:
        for done, (task, budget, seed, method) in enumerate(cells):
            where = f"{task} {budget >> 10} KB {method}"

            def tell(text: str, done: int = done, where: str = where) -> None:
                listen(done, f"{where}: {text}")

            tell("begins")
            try:
                rows.append(compare(bench, task, budget, seed, method, tell))
            except (BoardError, BuildError) as error:  # nothing fits, or words cannot be spoken
                say(f"{where}: {error}")
        for done, task in enumerate(studied, len(cells)):
            listen(done, f"{task}: spaces")
            some, ranks[task] = correlate(bench, task, kind, draws, 0, lambda _: None)
            spaces += some
    if rows:
        output().print(_table(rows))
    if spaces:
        output().print(_spaces(spaces, ranks))
    if json_path is not None:
        content = {
            "rows": [asdict(row) for row in rows],
            "spaces": [asdict(row) for row in spaces],
            "rank_correlation": ranks,
        }
        write_json(json_path, content)
        say(f"wrote {json_path}")


def _table(rows: list[Row]) -> Table:
    shown = table(
        "Accuracy in int8 of networks for a budget of SRAM, in percent of test samples",
        *("task", ">budget, KB", ">seed", "method", ">accuracy", ">SRAM, B", ">multiply-adds"),
        *(">networks", ">seconds"),
    )
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and (before.task, before.budget) != (row.task, row.budget):
            shown.add_section()
        shown.add_row(
            *(row.task, str(row.budget >> 10), str(row.seed), row.method),
            *(f"{row.accuracy:.1f}", f"{row.sram:,}", f"{row.macs:,}", str(row.trained)),
            f"{row.seconds:.0f}",
        )
    return shown


def _spaces(rows: list[SpaceRow], ranks: dict[str, float]) -> Table:
    shown = table(
        "Do multiply-adds foretell accuracy?",
        *("task", "space", ">mean multiply-adds", ">best validation accuracy"),
    )
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.task != row.task:
            shown.add_section()
        shown.add_row(row.task, row.space, f"{row.macs:,.0f}", f"{100 * row.accuracy:.1f} %")
    shown.caption = "\n".join(f"{task}: rank correlation {r:.2f}" for task, r in ranks.items())
    return shown
