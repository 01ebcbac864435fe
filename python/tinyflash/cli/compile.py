"""tinyflash compile: from a model to a C table."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.compiler import compile_model
from tinyflash.passes.scheme import load_scheme
from tinyflash.read import read


@click.command("compile")
@options.model
@options.scheme
@options.board
@options.seed
@options.output_folder("Directory for table, header and report.")
def compile_(model: Path, scheme: Path | None, board: str | None, seed: int, output: Path) -> None:
    """Compile MODEL to a C table: model.c, model.h, and a report: report.html, .json, .txt.

    Without a scheme the model infers and does not train; without a board its memory has no limit.
    """
    compiled = compile_model(
        read(model),
        load_scheme(scheme) if scheme else None,
        load_board(board) if board else None,
        seed=seed,
    )
    compiled.write(output)
    click.echo((output / "report.txt").read_text(encoding="utf-8"), nl=False)
