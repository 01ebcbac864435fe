"""tinyflash train: one's own samples, on this computer or on a board."""

from __future__ import annotations

from pathlib import Path

import click

from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.compiler import Compiled, compile_model
from tinyflash.console import counting, output, say, table, watching
from tinyflash.errors import DataError
from tinyflash.files import write_json
from tinyflash.graph import Graph
from tinyflash.passes.scheme import Scheme, load_scheme
from tinyflash.read import read
from tinyflash.samples import Samples, load_samples, split
from tinyflash.session import Session
from tinyflash.sessions import open_session
from tinyflash.training import History, Recipe, Schedule, evaluate
from tinyflash.training import train as run
from tinyflash.learned import Learned, save_learned


@click.command()
@options.model
@options.scheme
@click.option(
    "--data", type=options.PATH, required=True,
    help="An .npz file: x, samples first, in the model's input units; y, whole-number labels.",
)  # fmt: skip
@click.option("--board", default="host", show_default=True, help="Where to train.")
@options.epochs
@options.rate
@options.schedule
@options.seed
@click.option(
    "--validation", type=float, default=0.2, show_default=True,
    help="Fraction of the samples held out, of each label alike; 0: none.",
)  # fmt: skip
@options.output("Directory for learned weights and report.")
def train(
    model: Path,
    scheme: Path | None,
    data: Path,
    board: str,
    epochs: int,
    rate: float,
    schedule: Schedule,
    seed: int,
    validation: float,
    output: Path,
) -> None:
    """Train MODEL, compiled under a scheme, on the samples of an .npz file.

    Without a scheme only the model's own classifier is trained.
    """
    recipe = Recipe(epochs, rate, schedule, seed)
    graph, rules = read(model), load_scheme(scheme) if scheme else Scheme()
    samples = load_samples(data, graph.input, classes(graph, rules))
    kept, held_out = split(samples, validation, seed)
    if len(kept) == 0:
        raise DataError(f"{data} leaves no samples to train with; give more, or less --validation")
    target = None if board == "host" else load_board(board)
    compiled = compile_model(graph, rules, target, (kept.x, kept.y), seed)
    with open_session(compiled, target, output) as session:
        report = _train(session, kept, held_out, recipe)
        save_learned(output / "learned.npz", Learned.of(session, compiled.program))
    write_json(output / "training.json", report)
    say(f"wrote {output / 'learned.npz'} and {output / 'training.json'}")


def classes(graph: Graph, scheme: Scheme) -> int:
    """Labels are below this."""
    return scheme.head or graph.output.shape[-1]


def _train(
    session: Session, kept: Samples, held_out: Samples, recipe: Recipe
) -> tuple[History, dict[str, float]]:
    """Evaluates, trains, evaluates; the accuracies are of `held_out`, if there are any."""
    accuracy = {}
    if len(held_out):
        with counting("evaluate", len(held_out)) as listen:
            accuracy["before"] = evaluate(session, held_out, listen).accuracy
    with watching("train", recipe.epochs * len(kept)) as hear:
        history = run(session, kept, recipe, hear)
    if len(held_out):
        with counting("evaluate", len(held_out)) as listen:
            accuracy["after"] = evaluate(session, held_out, listen).accuracy
    return history, accuracy
