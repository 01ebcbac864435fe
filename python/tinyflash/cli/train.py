"""tinyflash train: one's own samples, on this computer or on a board."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import click

from tinyflash import training
from tinyflash.boards import load_board
from tinyflash.cli import choosing, options
from tinyflash.compiler import compile_model
from tinyflash.console import counting, say, watching
from tinyflash.errors import DataError
from tinyflash.files import write_json
from tinyflash.graph import Graph
from tinyflash.guard import GuardReport, check_judged
from tinyflash.health import Anatomy, as_record, complaints
from tinyflash.health_plot import draw_health
from tinyflash.learned import Learned, load_learned, save_learned
from tinyflash.objective import Objective, objective_of
from tinyflash.plan import Effort
from tinyflash.read import read
from tinyflash.samples import Samples, hold_out, load_samples, load_with_targets, split
from tinyflash.schedule import Kind
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.session import Session
from tinyflash.sessions import open_session
from tinyflash.training import Guard, History, Recipe

LOOKS = 200  # at the counters in a run


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
@choosing.option
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
@options.warmup
@options.seed
@options.rows
@options.effort
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
    callback=options.writable,
    help="Draw exponents and saturation over the training steps to this .png file.",
)
@click.option("--resume", type=options.PATH, help="A learned.npz to go on from.")
@options.output_folder("Directory for learned weights and report.")
def train(
    model: Path,
    scheme: Path | None,
    budget: int | None,
    data: Path,
    board: str,
    epochs: int,
    rate: float,
    schedule: Kind,
    warmup: int,
    seed: int,
    rows: bool,
    effort: Effort,
    validation: float,
    guard: int,
    guard_every: int,
    guard_tolerance: int,
    health: Path | None,
    resume: Path | None,
    output: Path,
) -> None:
    """Train MODEL, compiled under a scheme, on the samples of an .npz file.

    Without a scheme only the model's own classifier is trained; with a budget a scheme is chosen,
    and written to scheme.toml. What was learned goes to learned.npz under the model's hash, the
    course of it to training.json.
    """
    recipe = Recipe(epochs, rate, schedule, seed, warmup)
    graph, target = read(model), None if board == "host" else load_board(board)
    rules = load_scheme(scheme) if scheme else Scheme()
    objective = objective_of(graph, rules)
    if guard:
        check_judged(objective.size if objective else 0)
    kept, held_out = split(_load(data, graph, rules, objective), validation, seed)
    if len(kept) == 0:
        raise DataError(f"{data} leaves no samples to train with; lower --validation")
    kept, judges = hold_out(kept, guard, seed)
    watch = Guard(judges, guard_every, guard_tolerance) if guard else None
    chosen = choosing.scheme_of(graph, rules, budget, target, output, rows)
    compiled = compile_model(graph, chosen, target, (kept.x, kept.y), seed, rows, effort)
    start = load_learned(resume, compiled.program) if resume else None
    with open_session(compiled, target, output, guard) as session:
        if start:
            start.restore(session)
        trained = _train(session, kept, held_out, recipe, watch, objective)
        learned = Learned.of(session, compiled.program)
    save_learned(output / "learned.npz", learned)
    anatomy, counters = Anatomy.of(compiled), trained.history.counters
    record = _content(trained, board, recipe, objective)
    write_json(output / "training.json", {**record, "health": as_record(counters, anatomy)})
    if health is not None:
        draw_health(health, f"{model.name} on {board}", counters, anatomy)
    _say(trained, objective, anatomy)
    say(f"wrote {output}/learned.npz and training.json")


def _say(trained: Trained, objective: Objective | None, anatomy: Anatomy) -> None:
    """Results, and what looks wrong."""
    _say_found(trained, objective)
    if trained.history.guard:
        _say_guard(trained.history.guard)
    for line in complaints(trained.history.counters, anatomy):
        click.echo(f"warning: {line}")


def _say_found(trained: Trained, objective: Objective | None) -> None:
    for moment, found in (("before", trained.before), ("after", trained.after)):
        if found is not None:
            text = (
                f"loss {moment}: {found:.4g}" if objective else f"accuracy {moment}: {found:.1f} %"
            )
            click.echo(f"held-out {text}")


def _say_guard(report: GuardReport) -> None:
    click.echo(
        f"guard: {report.best.correct} of {report.samples} held-out samples right; "
        f"{report.evaluations} looks, {report.rollbacks} returns to the best weights"
    )


def _load(data: Path, graph: Graph, scheme: Scheme, objective: Objective | None) -> Samples:
    if objective is None:
        return load_samples(data, graph.input, _classes(graph, scheme))
    return load_with_targets(data, graph.input, objective)


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
    guard: Guard | None,
    objective: Objective | None,
) -> Trained:
    before = _evaluate(session, held_out, objective)
    steps = recipe.epochs * len(kept)
    with watching("train", steps) as hear:
        history = training.train(
            session,
            kept,
            recipe,
            hear,
            guard=guard,
            look_every=max(1, steps // LOOKS),
            objective=objective,
        )
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
        "warmup": recipe.warmup,
        "seed": recipe.seed,
        f"{measure}_before": trained.before,
        f"{measure}_after": trained.after,
        "guard": None if trained.history.guard is None else asdict(trained.history.guard),
        "losses": [float(f"{step.loss:.6g}") for step in steps],
        **correct,
    }
