"""tinyflash train: one's own samples, on this computer or on a board."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import click

from tinyflash import training
from tinyflash.boards import load_board
from tinyflash.cli import options
from tinyflash.compiler import compile_model
from tinyflash.console import counting, say, watching
from tinyflash.errors import DataError
from tinyflash.files import write_json
from tinyflash.graph import Graph
from tinyflash.learned import Learned, load_learned, save_learned
from tinyflash.objective import Objective, objective_of
from tinyflash.passes.scheme import Scheme, load_scheme
from tinyflash.read import read
from tinyflash.samples import Samples, load_samples, load_with_targets, split
from tinyflash.session import Session
from tinyflash.sessions import open_session
from tinyflash.training import History, Recipe, Schedule


@dataclass(frozen=True)
class Trained:
    """A run. Before and after it held-out samples had this accuracy in percent, or this mean loss
    where the model learns from targets; None without any."""

    before: float | None
    history: History
    after: float | None


@click.command()
@options.model
@options.scheme
@click.option(
    "--data",
    type=options.PATH,
    required=True,
    help="An .npz file: x, samples first, in the model's input units; y, whole-number labels, or "
    "targets in real units where the scheme's loss takes them.",
)
@click.option("--board", default="host", show_default=True, help="Where to train.")
@options.epochs
@options.rate
@options.schedule
@options.seed
@click.option(
    "--validation",
    type=float,
    default=0.2,
    show_default=True,
    help="Fraction of the samples held out, of each label alike; 0: none.",
)
@click.option("--resume", type=options.PATH, help="A learned.npz to go on from.")
@options.output_folder("Directory for learned weights and report.")
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
    resume: Path | None,
    output: Path,
) -> None:
    """Train MODEL, compiled under a scheme, on the samples of an .npz file.

    Without a scheme only the model's own classifier is trained. What was learned goes to
    learned.npz under the model's hash, the course of it to training.json.
    """
    recipe = Recipe(epochs, rate, schedule, seed)
    graph, rules = read(model), load_scheme(scheme) if scheme else Scheme()
    target = None if board == "host" else load_board(board)
    objective = objective_of(graph, rules)
    if objective is None:
        samples = load_samples(data, graph.input, _classes(graph, rules))
    else:
        samples = load_with_targets(data, graph.input, objective)
    kept, held_out = split(samples, validation, seed)
    if len(kept) == 0:
        raise DataError(f"{data} leaves no samples to train with; lower --validation")
    compiled = compile_model(graph, rules, target, (kept.x, kept.y), seed)
    start = load_learned(resume, compiled.program) if resume else None
    with open_session(compiled, target, output) as session:
        if start:
            start.restore(session)
        trained = _train(session, kept, held_out, recipe, objective)
        learned = Learned.of(session, compiled.program)
    save_learned(output / "learned.npz", learned)
    write_json(output / "training.json", _content(trained, board, recipe, objective))
    for moment in ("before", "after") if len(held_out) else ():
        found = getattr(trained, moment)
        text = (
            f"accuracy {moment}: {found:.1f} %"
            if objective is None
            else f"loss {moment}: {found:.4g}"
        )
        click.echo(f"held-out {text}")
    say(f"wrote {output}/learned.npz and training.json")


def _classes(graph: Graph, scheme: Scheme) -> int:
    """Labels are below this."""
    shape = graph.output.shape
    if scheme.head is None and (shape[-1] < 2 or prod(shape) != shape[-1]):
        raise DataError(
            f"the network's output, of shape {list(shape)}, is no row of class scores; "
            "give it a new classifier in the scheme: head = number of classes"
        )
    return scheme.head or shape[-1]


def _train(
    session: Session,
    kept: Samples,
    held_out: Samples,
    recipe: Recipe,
    objective: Objective | None,
) -> Trained:
    before = _evaluate(session, held_out, objective)
    with watching("train", recipe.epochs * len(kept)) as hear:
        history = training.train(session, kept, recipe, hear, objective)
    return Trained(before, history, _evaluate(session, held_out, objective))


def _evaluate(session: Session, samples: Samples, objective: Objective | None) -> float | None:
    if len(samples) == 0:
        return None
    with counting("evaluate", len(samples)) as listen:
        if objective is not None:
            return training.evaluate_loss(session, samples, objective, listen)
        return training.evaluate(session, samples, listen).accuracy


def _content(
    trained: Trained, board: str, recipe: Recipe, objective: Objective | None
) -> dict[str, object]:
    measure = "accuracy" if objective is None else "loss"
    steps = trained.history.steps
    correct = {} if objective else {"correct": [step.correct for step in steps]}
    return {
        "board": board,
        "epochs": recipe.epochs,
        "rate": recipe.rate,
        "schedule": recipe.schedule,
        "seed": recipe.seed,
        f"{measure}_before": trained.before,
        f"{measure}_after": trained.after,
        "losses": [float(f"{step.loss:.6g}") for step in steps],
        **correct,
    }
