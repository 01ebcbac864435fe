"""tinyflash train: one's own samples, on this computer or on a board."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
from tinyflash.guard import GuardReport
from tinyflash.health import Anatomy, as_record, complaints
from tinyflash.health_plot import draw_health
from tinyflash.learned import Learned, load_learned, save_learned
from tinyflash.passes.scheme import Scheme, load_scheme
from tinyflash.read import read
from tinyflash.samples import Samples, hold_out, load_samples, split
from tinyflash.schedule import Kind
from tinyflash.session import Session
from tinyflash.sessions import open_session
from tinyflash.training import Guard, History, Recipe

LOOKS = 200  # at the counters in a run


@dataclass(frozen=True)
class Trained:
    """A run; the accuracies are of held-out samples, None without any."""

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
    help="An .npz file: x, samples first, in the model's input units; y, whole-number labels.",
)
@click.option("--board", default="host", show_default=True, help="Where to train.")
@options.epochs
@options.rate
@options.schedule
@options.warmup
@options.seed
@click.option(
    "--validation",
    type=float,
    default=0.2,
    show_default=True,
    help="Fraction of the samples held out, of each label alike; 0: none.",
)
@options.guard
@click.option(
    "--guard-every",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Training steps between two looks of the guard.",
)
@click.option(
    "--guard-tolerance",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Held-out samples that may be lost before the guard goes back to the best weights.",
)
@click.option(
    "--health",
    type=options.PATH,
    help="Draw exponents and saturation over the training steps to this .png file.",
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
    schedule: Kind,
    warmup: int,
    seed: int,
    validation: float,
    guard: int,
    guard_every: int,
    guard_tolerance: int,
    health: Path | None,
    resume: Path | None,
    output: Path,
) -> None:
    """Train MODEL, compiled under a scheme, on the samples of an .npz file.

    Without a scheme only the model's own classifier is trained. What was learned goes to
    learned.npz under the model's hash, the course of it to training.json.
    """
    recipe = Recipe(epochs, rate, schedule, seed, warmup)
    graph, rules = read(model), load_scheme(scheme) if scheme else Scheme()
    target = None if board == "host" else load_board(board)
    samples = load_samples(data, graph.input, _classes(graph, rules))
    kept, held_out = split(samples, validation, seed)
    if len(kept) == 0:
        raise DataError(f"{data} leaves no samples to train with; lower --validation")
    watch = None
    if guard:
        kept, judges = hold_out(kept, guard, seed)
        watch = Guard(judges, guard_every, guard_tolerance)
    compiled = compile_model(graph, rules, target, (kept.x, kept.y), seed)
    start = load_learned(resume, compiled.program) if resume else None
    with open_session(compiled, target, output, guard) as session:
        if start:
            start.restore(session)
        trained = _train(session, kept, held_out, recipe, watch)
        learned = Learned.of(session, compiled.program)
    save_learned(output / "learned.npz", learned)
    anatomy, counters = Anatomy.of(compiled), trained.history.counters
    record = {**_content(trained, board, recipe), "health": as_record(counters, anatomy)}
    write_json(output / "training.json", record)
    if health is not None:
        draw_health(health, f"{model.name} on {board}", counters, anatomy)
    for moment in ("before", "after") if len(held_out) else ():
        click.echo(f"held-out accuracy {moment}: {getattr(trained, moment):.1f} %")
    if trained.history.guard:
        _say_guard(trained.history.guard)
    for line in complaints(counters, anatomy):
        click.echo(f"warning: {line}")
    say(f"wrote {output}/learned.npz and training.json")


def _say_guard(report: GuardReport) -> None:
    click.echo(
        f"guard: {report.best.correct} of {report.samples} held-out samples right; "
        f"{report.evaluations} looks, {report.rollbacks} returns to the best weights"
    )


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
    session: Session, kept: Samples, held_out: Samples, recipe: Recipe, guard: Guard | None
) -> Trained:
    before = _accuracy(session, held_out)
    with watching("train", recipe.epochs * len(kept)) as hear:
        look_every = max(1, recipe.epochs * len(kept) // LOOKS)
        history = training.train(session, kept, recipe, hear, guard, look_every)
    return Trained(before, history, _accuracy(session, held_out))


def _accuracy(session: Session, samples: Samples) -> float | None:
    if len(samples) == 0:
        return None
    with counting("evaluate", len(samples)) as listen:
        return training.evaluate(session, samples, listen).accuracy


def _content(trained: Trained, board: str, recipe: Recipe) -> dict[str, object]:
    return {
        "board": board,
        "epochs": recipe.epochs,
        "rate": recipe.rate,
        "schedule": recipe.schedule,
        "warmup": recipe.warmup,
        "seed": recipe.seed,
        "accuracy_before": trained.before,
        "accuracy_after": trained.after,
        "guard": None if trained.history.guard is None else asdict(trained.history.guard),
        "losses": [round(step.loss, 6) for step in trained.history.steps],
        "correct": [step.correct for step in trained.history.steps],
    }
