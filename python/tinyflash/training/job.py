"""A training job: samples to learn and to evaluate, where it runs, and the files it writes.

The command line, the demo and the benchmarks all train this way:

    job = Job(...)                                  # samples, recipe, guard, objective
    ready = make_ready(prepared, job, board)        # compiled, and checked against the board
    with open_session(ready, folder) as session:
        trained = run(job, session, ready)      # training/run.py
    save(trained, job, ready, folder)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from tinyflash.arrays import Numbers
from tinyflash.boards import Board, kernels_for
from tinyflash.compiler import Prepared, compile_model
from tinyflash.compiler.plan import QUICK, Effort
from tinyflash.errors import DataError, warn
from tinyflash.files import write_json
from tinyflash.runtime.guard import check_judged
from tinyflash.runtime.learned import Learned, save_learned
from tinyflash.training.balance import label_complaints
from tinyflash.training.front_end import RECORD
from tinyflash.training.health import Anatomy, as_record
from tinyflash.training.loop import Evaluation, Guard, History, Recipe
from tinyflash.training.open import Ready
from tinyflash.training.samples import (
    Samples,
    Source,
    hold_out,
    load_samples,
    load_with_targets,
    split,
)
from tinyflash.training.targets import Objective, objective_of

WRITTEN = ("learned.npz", RECORD)  # the files of a training run
LOOKS = 200  # readings of the counters in a run


@dataclass(frozen=True)
class Job:
    """What to learn, and how.

    held_out: samples for evaluation before and after; may be empty. objective: how the samples'
    targets are stored and compared; None if they have labels. each_epoch: whether to evaluate
    between epochs, too.
    """

    train: Samples
    held_out: Samples
    recipe: Recipe
    guard: Guard | None = None
    objective: Objective | None = None
    each_epoch: bool = False

    @property
    def steps(self) -> int:
        """The training steps of the whole run."""
        return self.recipe.epochs * len(self.train)

    def evaluates_after(self, done: int) -> bool:
        """Whether to evaluate after `done` steps: at the end of an epoch, except the last one."""
        wanted = self.each_epoch and len(self.held_out) > 0
        return wanted and 0 < done < self.steps and done % len(self.train) == 0

    @property
    def look_every(self) -> int:
        """The steps between two readings of the counters."""
        return max(1, self.steps // LOOKS)

    @property
    def measure(self) -> str:
        """The name of an evaluation's score."""
        return "accuracy" if self.objective is None else "loss"


@dataclass(frozen=True)
class Watch:
    """The user's settings of a guard: how many held-out samples it has, and how it uses them."""

    samples: int = 0  # 0: no guard
    every: int = Guard.every
    tolerance: int = Guard.tolerance

    def interval(self, accumulate: int) -> int:
        """Returns `every`, rounded up to whole groups of samples: going back within a group would
        tear its sum."""
        return -(-self.every // accumulate) * accumulate


@dataclass(frozen=True)
class Trained:
    """A run and what it learned. Evaluations are None if no samples are held out.

    course: the steps done and the held-out score, from before the first step to after the last.
    interrupted: the run has ended early: during its steps, or, with all of them, before it was
    evaluated.
    """

    before: Evaluation | None
    history: History
    after: Evaluation | None
    learned: Learned
    course: tuple[tuple[int, float], ...] = ()
    interrupted: bool = False

    def agrees(self, other: Trained) -> bool:
        """Whether two runs are bit-equal: learned bytes, every training step, every output of both
        evaluations."""
        return (
            self.learned == other.learned
            and self.history == other.history
            and _outputs(self.before) == _outputs(other.before)
            and _outputs(self.after) == _outputs(other.after)
            and self.course == other.course
        )


def _outputs(evaluation: Evaluation | None) -> bytes:
    return b"" if evaluation is None else evaluation.outputs.tobytes()


# ---- Before the run ------------------------------------------------------------------------------


def load_job(
    data: Path,
    prepared: Prepared,
    recipe: Recipe,
    validation: float,
    watch: Watch,
    test: Path | None = None,
    hop: int | None = None,
) -> Job:
    """Loads the samples of an .npz file and splits them by the recipe's seed; or those of a set,
    which has its own parts.

    validation: the fraction to hold out, of a file. test: a file or a set of held-out samples
    instead, with `validation` 0. hop: frames from one window of a set to the next. Evaluates after
    each epoch. Raises DataError if the samples do not fit the network.
    """
    objective = objective_of(prepared)
    if watch.samples:
        check_judged(objective.size if objective else 0)
        check_scores(prepared)
    training, other = Source.to_train(data, hop)
    samples = _load(training, prepared, objective)
    kept, held_out = split(samples, 0.0 if other else validation, recipe.seed)
    if len(kept) == 0:
        raise DataError(f"{data} leaves no samples to train with; lower --validation")
    if test is not None:
        other = Source.to_test(test, hop)
    if other is not None:
        held_out = _load(other, prepared, objective)
    kept, judges = hold_out(kept, watch.samples, recipe.seed)
    if objective is None:
        for complaint in label_complaints(kept.labels, _classes(prepared)):
            warn(f"{data}, y: {complaint}")
    every = watch.interval(prepared.scheme.optimizer.accumulate if prepared.scheme else 1)
    guard = Guard(judges, every, watch.tolerance) if watch.samples else None
    job = Job(kept, held_out, recipe, guard, objective, each_epoch=True)
    recipe.course(job.steps)  # raises if the warm-up is longer
    return job


def check_scores(prepared: Prepared) -> None:
    """Raises DataError if a guard would compare bytes that are not int8 scores (SPEC 9.1)."""
    if prepared.forward.output.dtype == "uint8":
        raise DataError(
            "a guard compares int8 scores, but the network's output is uint8; give it a new "
            "classifier (head = number of classes), or train it without a guard"
        )


def _load(data: Source, prepared: Prepared, objective: Objective | None) -> Samples:
    port = prepared.whole.input
    if objective is None:
        return load_samples(data, port, _classes(prepared))
    return load_with_targets(data, port, objective)


def _classes(prepared: Prepared) -> int:
    """Returns the number of classes: labels are below it."""
    shape = prepared.whole.output.shape
    if shape[-1] < 2 or prod(shape) != shape[-1]:
        raise DataError(
            f"the network's output, of shape {list(shape)}, is not a row of class scores; "
            "give it a new classifier in the scheme: head = number of classes"
        )
    return shape[-1]


def make_ready(
    prepared: Prepared,
    job: Job,
    board: Board | None = None,
    seed: int = 0,
    row_source: bool = False,
    effort: Effort = QUICK,
) -> Ready:
    """Compiles the model; exponents start from the job's samples. Raises BoardError if the model is
    too large for the board."""
    samples = job.train.x, job.train.y
    sets = kernels_for(board)
    compiled = compile_model(prepared, None, samples, seed, row_source, effort, sets)
    return Ready.of(compiled, board)


# ---- After the run -------------------------------------------------------------------------------


def save(
    trained: Trained,
    job: Job,
    ready: Ready,
    directory: Path,
    settings: Mapping[str, object] | None = None,
    more: Mapping[str, Numbers] | None = None,
) -> None:
    """Writes learned.npz, from which a later run can continue, and training.json, the record of the
    run. settings: more of the user's settings for the record. more: arrays for learned.npz, such as
    the course of an interrupted run."""
    learned = directory / "learned.npz"
    save_learned(learned, trained.learned, more)
    health = as_record(trained.history.counters, Anatomy.of(ready.compiled))
    board = "host" if ready.fit is None else ready.fit.board.name
    program = ready.compiled.program
    about = {"model": program.name, "hash": f"{program.hash:08x}", "board": board}
    record = {**about, **(settings or {}), **_record(trained, job), "health": health}
    with learned_is_in(learned):
        write_json(directory / RECORD, record)


@contextmanager
def learned_is_in(path: Path) -> Iterator[None]:
    """Adds to the error of a file that cannot be written that what was learned is saved already."""
    try:
        yield
    except (DataError, OSError) as error:
        raise DataError(f"{error}; what was learned is in {path}") from error


def _record(trained: Trained, job: Job) -> dict[str, object]:
    steps, guard = trained.history.steps, trained.history.guard
    correct = {} if job.objective else {"correct": [step.correct for step in steps]}
    return {
        "epochs": job.recipe.epochs,
        "rate": job.recipe.rate,
        "schedule": job.recipe.schedule,
        "warmup": job.recipe.warmup,
        "seed": job.recipe.seed,
        "samples": len(job.train),
        "steps": job.steps,
        "done": len(steps),
        "held_out": len(job.held_out),
        f"{job.measure}_before": trained.before and trained.before.score,
        f"{job.measure}_after": trained.after and trained.after.score,
        f"{job.measure}_course": trained.course,
        "guard": None if guard is None else asdict(guard),
        "losses": [float(f"{step.loss:.6g}") for step in steps],
        **correct,
    }
