"""tinyflash evaluate: how well a network answers, on this computer or on a board."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tinyflash.boards import kernels_for, load_board
from tinyflash.cli import options
from tinyflash.cli.hop_option import check_hop
from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.plan import Effort
from tinyflash.read import read
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.learned import load_learned
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.show.console import counting
from tinyflash.show.scores import print_scores
from tinyflash.training.front_end import front_end_of
from tinyflash.training.loop import infer_all
from tinyflash.training.open import Ready, Running, open_session
from tinyflash.training.questions import load_names, load_question
from tinyflash.training.samples import Source


@click.command(cls=options.Command)
@options.model
@options.chosen
@options.scheme
@options.data
@options.hop
@click.option(
    "--learned",
    type=options.LEARNED,
    help="The learned.npz of a run with this scheme, or its folder. Default: MODEL as it is.",
)
@options.where
@options.running(required=False)
@options.rows
@options.effort
@click.option(
    "--names", type=options.PATH, help="A text file with the names of the classes, one a line."
)
@options.as_json
def evaluate(
    model: Path,
    chosen: str | None,
    scheme: Path | None,
    data: Path,
    hop: int | None,
    learned: Path | None,
    board: str,
    running: Running | None,
    rows: bool,
    effort: Effort,
    names: Path | None,
    as_json: bool,
) -> None:
    """Compare the answers of MODEL with the labels or targets of an .npz file or a data set.

    Prints accuracy, loss, precision and recall of each class, and the confusion matrix; for
    targets, the errors. MODEL, --scheme and --rows must be the same as for training.

    With --board, starts the board's emulator. With --port, evaluates what the board that runs there
    has learned so far; --learned replaces it.
    """
    check_hop(hop, data)
    target = None if board == "host" else load_board(board)
    rules = load_scheme(scheme) if scheme else Scheme() if learned else None
    prepared = prepare(read(model, output=chosen), rules)
    question = load_question(Source.to_test(data, hop), prepared)
    named = load_names(names) if names else ()
    question.check_names(named)
    sets = kernels_for(target)
    ready = Ready.of(compile_model(prepared, row_source=rows, effort=effort, kernels=sets), target)
    program = ready.compiled.program
    start = load_learned(learned, program) if learned else None
    front_end_of((data,), learned, ready.hash)
    place = "host" if target is None else target.name
    with (
        TemporaryDirectory() as folder,
        open_session(ready, Path(folder), running=running) as session,
    ):
        if isinstance(session, DeviceSession):
            place = session.info.board
        if start is not None:
            start.restore(session)
        with counting("evaluate", len(question.x)) as listen:
            outputs = infer_all(session, question.x, listen)
    about = {"model": program.name, "hash": f"{program.hash:08x}", "board": place}
    scores = {**about, **question.score(outputs, named)}
    if as_json:
        click.echo(json.dumps(scores, indent=2))
    else:
        print_scores(f"{model.name} on {place}", scores)
