"""tinyflash compile: from a model to a C table."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.boards import load_board
from tinyflash.cli import choosing, options
from tinyflash.compiler import compile_model
from tinyflash.plan import Effort
from tinyflash.read import read
from tinyflash.scheme import load_scheme


@click.command("compile")
@options.model
@options.scheme
@choosing.option
@options.board
@options.rows
@options.effort
@options.seed
@options.output_folder("Directory for table, header and report.")
def compile_(
    model: Path,
    scheme: Path | None,
    budget: int | None,
    board: str | None,
    rows: bool,
    effort: Effort,
    seed: int,
    output: Path,
) -> None:
    """Compile MODEL to a C table: model.c, model.h, and a report: report.html, .json, .txt.

    Without a scheme the model infers and does not train; without a board its memory has no limit.
    With a budget the scheme is chosen, and written to scheme.toml, to be edited.
    """
    graph, target = read(model), load_board(board) if board else None
    given = load_scheme(scheme) if scheme else None
    chosen = choosing.scheme_of(graph, given, budget, target, output, rows)
    compiled = compile_model(graph, chosen, target, seed=seed, row_source=rows, effort=effort)
    compiled.write(output)
    click.echo((output / "report.txt").read_text(encoding="utf-8"), nl=False)
