"""tinyflash compile: compiles a model to a C table."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.boards import (
    Board,
    counted_core,
    kernels_for,
    load_board,
    with_kernels,
    with_place,
)
from tinyflash.boards.fits import check_fits
from tinyflash.cli import candidates as several
from tinyflash.cli import options, scheme_option
from tinyflash.cli.stale import say_stale
from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.longest import Bound
from tinyflash.compiler.plan import Effort
from tinyflash.errors import BoardError
from tinyflash.read import read
from tinyflash.runtime.replay import check_can_replay
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.show.console import say
from tinyflash.show.report import compilation, write_compilation
from tinyflash.write.c import DEFAULT, check_name


def _name(_context: object, _parameter: object, value: str) -> str:
    return check_name(value)


def _sets(_context: object, _parameter: object, value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(name.strip() for name in value.split(","))


def _board(name: str | None, kernels: tuple[str, ...], places: tuple[str, ...]) -> Board | None:
    """Returns the board to compile for, with the sets and the placement that the command
    chooses."""
    if name is None:
        if kernels:
            raise BoardError(
                "--kernels chooses among the kernels for a board; name it with --board"
            )
        if places:
            raise BoardError("--place chooses among the regions of a board; name it with --board")
        return None
    board = with_place(load_board(name), places)
    return with_kernels(board, kernels) if kernels else board


def _written(context: click.Context, _folder: Path) -> tuple[str, ...]:
    return (*compilation(context.params["name"]), "scheme.toml", several.REPORT)


@click.command("compile", cls=options.Command)
@options.model
@options.chosen
@options.scheme
@several.candidates
@scheme_option.budget
@options.board
@options.place
@click.option(
    "--kernels",
    metavar="SET,...",
    callback=_sets,
    help="Kernel sets, preferred first, instead of the board's own; the last is ref.",
)
@options.rows
@options.effort
@options.replay
@click.option(
    "--longest-call",
    type=click.IntRange(1),
    metavar="INSTRUCTIONS",
    help="Cuts calls by rows, so that none takes more instructions; changes no result.",
)
@options.seed
@click.option(
    "--name",
    default=DEFAULT,
    show_default=True,
    is_eager=True,  # for _written
    callback=_name,
    help="Name of the model in C, and of its files: prefixes everything in them.",
)
@options.as_json
@options.output_folder("Folder for table, header and report.", _written)
def compile_(
    model: Path,
    chosen: str | None,
    scheme: Path | None,
    candidates: tuple[Path, ...],
    budget: int | None,
    board: str | None,
    places: tuple[str, ...],
    kernels: tuple[str, ...],
    rows: bool,
    effort: Effort,
    replay: int,
    longest_call: int | None,
    seed: int,
    name: str,
    as_json: bool,
    output: Path,
) -> None:
    """Compile MODEL to C: model.c, model.h, and a report.

    The report is report.html, .json and .txt. Without --scheme, the model infers but does not
    train. Without --board, memory has no limit. --budget chooses a scheme and writes it to
    scheme.toml, for you to edit. --name lets one firmware have several models. --kernels names
    other kernel sets than the board does; build compiles what the table names. --replay counts the
    buffer when it checks the board; give the same number to build. --candidate, repeated, writes
    several models of the network for your own firmware, which chooses one of them.
    """
    target = _board(board, kernels, places)
    if candidates:
        several.check_alone({"--scheme": scheme, "--budget": budget, "--replay": replay})
        asked = (target, rows, effort, longest_call, seed, name, as_json, output)
        several.compile_candidates(read(model, output=chosen), candidates, several.Asked(*asked))
        return
    given = load_scheme(scheme) if scheme else None
    prepared = prepare(read(model, output=chosen), given or (None if budget is None else Scheme()))
    prepared = scheme_option.chosen(prepared, budget, target, output, rows)
    sets = kernels_for(target)
    compiled = compile_model(
        *(prepared, None, None, seed, rows, effort, sets),
        longest_call=Bound(longest_call, counted_core(target)) if longest_call else None,
    )
    if replay:
        check_can_replay(compiled.program.classes, compiled.program.row_bytes)
    fit = check_fits(compiled, target, replay) if target else None
    write_compilation(compiled, output, fit, name=name)
    printed = output / ("report.json" if as_json else "report.txt")
    click.echo(printed.read_text(encoding="utf-8"), nl=False)
    say(f"wrote {name}.c, {name}.h and report.html, .json and .txt to {output}")
    say_stale(output)
