"""tinyflash train: trains on your samples, on this computer or on a board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from tinyflash.boards import load_board, with_place
from tinyflash.boards.emulator import FLASH
from tinyflash.cli import live_options as live_option
from tinyflash.cli import options, record_option, scheme_option, watch_option
from tinyflash.cli.hop_option import check_hop
from tinyflash.cli.live import learn_live
from tinyflash.cli.live_options import LiveOptions, check_use
from tinyflash.cli.live_start import Asked, Data, Place, Start
from tinyflash.cli.normal import watch_normal
from tinyflash.cli.shown import Shown
from tinyflash.cli.stopping import Stop, stopping
from tinyflash.cli.teaching import teach
from tinyflash.compiler import prepare
from tinyflash.compiler.plan import Effort
from tinyflash.data.dataset import is_dataset
from tinyflash.errors import BoardError, DataError
from tinyflash.read import read
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.guard import GuardReport
from tinyflash.runtime.learned import Learned, load_learned
from tinyflash.runtime.schedule import Kind
from tinyflash.runtime.session import Session
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.show.words import counted
from tinyflash.training import job as jobs
from tinyflash.training.curve import write_report
from tinyflash.training.front_end import KEY, front_end_of
from tinyflash.training.health import Anatomy, complaints
from tinyflash.training.health_plot import draw_health
from tinyflash.training.interrupted import arrays_of, load_interrupted
from tinyflash.training.job import Job, Trained, Watch, load_job, make_ready
from tinyflash.training.loop import Recipe
from tinyflash.training.open import Ready, Running, open_session, prepared_files, settle
from tinyflash.training.run import run

VALIDATION = 0.2  # the fraction held out


@click.command(cls=options.Command)
@options.model
@options.chosen
@options.scheme
@scheme_option.budget
@options.data_option(required=False)
@options.hop
@options.where
@options.place
@options.running(required=False)
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
    show_default=f"{VALIDATION}, or 0 with --test",
    help="Fraction of the samples to hold out, equally from each label; 0: none.",
)
@click.option(
    "--test",
    type=options.PATH,
    help="A file or a set like --data, to evaluate on before, after each epoch, and at the end.",
)
@options.guard
@click.option(
    "--guard-every",
    type=click.IntRange(1),
    default=Watch.every,
    show_default=True,
    help="Training steps between two evaluations of the guard.",
)
@click.option(
    "--guard-tolerance",
    type=click.IntRange(0),
    default=Watch.tolerance,
    show_default=True,
    help="Held-out samples that may be lost before the guard restores the best weights.",
)
@click.option(
    "--health",
    type=options.OUTPUT,
    help="Draw exponents and saturation to this .png file.",
)
@click.option(
    "--resume",
    type=options.LEARNED,
    help="A learned.npz, or the folder of a run, to continue from. An interrupted run goes on, to "
    "the same bytes as without the break: pass the same options and data.",
)
@click.option(
    "--save-every",
    type=click.IntRange(1),
    metavar="STEPS",
    help="Save on the board itself every so many training steps, and at the end: it survives a "
    "power cut. An emulated board's flash is flash.bin in the output folder.",
)
@click.option(
    "--new-run",
    is_flag=True,
    help="With --resume: begin a new run from the learned weights, even if theirs was interrupted.",
)
@live_option.live_options
@record_option.record
@watch_option.watch
@options.output_folder(
    "Folder for learned weights and report.",
    lambda _context, folder: (*jobs.WRITTEN, *prepared_files(folder), "scheme.toml"),
)
def train(
    model: Path,
    chosen: str | None,
    scheme: Path | None,
    budget: int | None,
    data: Path | None,
    hop: int | None,
    board: str,
    places: tuple[str, ...],
    running: Running | None,
    epochs: int,
    rate: float,
    schedule: Kind,
    warmup: int,
    seed: int,
    rows: bool,
    effort: Effort,
    validation: float | None,
    test: Path | None,
    guard: int,
    guard_every: int,
    guard_tolerance: int,
    health: Path | None,
    resume: Path | None,
    save_every: int | None,
    new_run: bool,
    live: bool,
    given: LiveOptions,
    json_path: Path | None,
    watches: bool,
    watch_port: int | None,
    output: Path,
) -> None:
    """Train MODEL on the samples of an .npz file or of a data set.

    Without --scheme, trains only the model's own classifier. --budget chooses a scheme and writes
    it to scheme.toml. Writes the learned weights, with the model's hash, to learned.npz, and the
    record of the training to training.json. Ctrl-C and SIGTERM end the run after the current step,
    and what it has learned is saved; --resume lets it go on.

    With --board, starts the board's emulator. With --port, trains on a board that runs MODEL,
    compiled with the same --scheme and --rows. What the board had learned before is replaced.
    """
    context = click.get_current_context()
    check_use(context, live)
    check_hop(hop, data, test, given.earlier)
    context.with_resource(record_option.recorded(json_path, output))
    recipe = Recipe(epochs, rate, schedule, seed, warmup)
    target = None if board == "host" else with_place(load_board(board), places)
    if places and target is None:
        raise BoardError("--place chooses among the regions of a board; name it with --board")
    place = "host" if target is None else target.name
    if save_every and target is None and running is None:
        raise DataError("--save-every saves on a board; give --board or --port")
    prepared = prepare(read(model, output=chosen), load_scheme(scheme) if scheme else Scheme())
    watch = Watch(guard, guard_every, guard_tolerance)
    shown = Shown(watch_option.wanted(watches, watch_port), model.name, data)
    if live:
        with_labels = learn_live if given.auto else teach
        learn = with_labels if given.normal is None else watch_normal
        asked = Asked(
            scheme_option.chosen(prepared, budget, target, output, rows),
            Data(data, test, hop),
            Place(target, running),
            *(rate, watch, given, Start(resume, new_run, seed)),
            *(effort, rows, output, shown),
        )
        learn(asked)
        return
    assert data is not None
    fraction = _fraction(validation, test, data)
    job = load_job(data, prepared, recipe, fraction, watch, test, hop)
    settled = scheme_option.chosen(prepared, budget, target, output, rows)
    ready = make_ready(settled, job, target, seed, rows, effort)
    start = load_learned(resume, ready.compiled.program) if resume else None
    begun = None
    if resume and start and not new_run:
        begun = load_interrupted(resume, start, job, ready)
    assert settled.scheme is not None
    settings: dict[str, object] = {
        "scheme": scheme_text(settled.scheme),
        "validation": fraction,
        KEY: front_end_of((data, test), resume, ready.hash),
    }
    settle(ready, output)
    with (
        watched(shown.wanted, output) as page,
        open_session(ready, output, guard, running, bool(save_every)) as session,
        stopping() as stop,
    ):
        if isinstance(session, DeviceSession) and (running or save_every):
            place = session.info.board
            _forget(session, running.port if running else str(output / FLASH))
            start = start or Learned.compiled(ready.compiled.program)
        keep = _Keep(session, save_every)
        settings["board"] = place
        if start and not begun:
            start.restore(session)
        shown.begin(page, "train", place, ready, output)
        trained = run(
            job, session, ready, stopped=stop, begun=begun, after_step=keep, observer=page
        )
        keep.last()
        page.end(STOPPED if trained.interrupted else FINISHED)
        if trained.interrupted:
            _stop(stop, trained, begun, job, ready, output, settings)
        jobs.save(trained, job, ready, output, settings)
        with jobs.learned_is_in(output / "learned.npz"):
            write_report(trained, job, ready, output)
    anatomy, counters = Anatomy.of(ready.compiled), trained.history.counters
    if health is not None:
        with jobs.learned_is_in(output / "learned.npz"):
            draw_health(health, f"{model.name} on {place}", counters, anatomy)
    _say(trained, job, anatomy)
    say(f"wrote {output}/learned.npz, training.json and report.html")


def _fraction(validation: float | None, test: Path | None, data: Path) -> float:
    """Returns the fraction to hold out of a file."""
    if is_dataset(data):
        if validation is not None:
            raise DataError(f"{data} is split into parts already; leave out --validation")
        return 0.0
    if test is None:
        return VALIDATION if validation is None else validation
    if validation:
        raise DataError(f"--test gives the held-out samples, {test}; leave out --validation")
    return 0.0


def _stop(
    stop: Stop,
    trained: Trained,
    begun: Trained | None,
    job: Job,
    ready: Ready,
    output: Path,
    settings: Mapping[str, object],
) -> NoReturn:
    """Saves an interrupted run, says so, and ends the command."""
    done, before = len(trained.history.steps), len(begun.history.steps) if begun else 0
    where = f"stopped by {stop.reason} after {done:,} of {job.steps:,} training steps"
    if done > before:
        path = output / "learned.npz"
        jobs.save(trained, job, ready, output, settings, arrays_of(trained, job))
        with jobs.learned_is_in(path):
            write_report(trained, job, ready, output)
        tell(f"{where}; wrote {path}; to go on, repeat the command with --resume {path}")
    else:
        tell(f"{where}; it has learned nothing new, and wrote nothing")
    raise click.exceptions.Exit(stop.exit_code)


class _Keep:
    """Lets a board save what it has learned, every `every` training steps; None: never."""

    def __init__(self, session: Session, every: int | None) -> None:
        self._device = session if every and isinstance(session, DeviceSession) else None
        self._every = every or 1

    def __call__(self, done: int) -> None:
        if self._device is not None and done % self._every == 0:
            self._device.save()

    def last(self) -> None:
        """Saves at the end of a run, and says so."""
        if self._device is not None:
            saved = self._device.save()
            say(f"the board has saved what it has learned, as record {saved.number}")


def _forget(device: DeviceSession, port: str) -> None:
    """Clears what the board of an earlier host has learned, and says so."""
    steps = 0 if device.info.half_written else device.counters().step
    device.reset()
    if steps:
        tell(f"the board on {port} had learned in {steps:,} steps; this run starts anew")


def _say(trained: Trained, job: Job, anatomy: Anatomy) -> None:
    """Prints the results, and warnings."""
    for moment, found in (("before", trained.before), ("after", trained.after)):
        if found is not None:
            click.echo(f"held-out {job.measure} {moment}: {_figure(found.score, job)}")
    if len(trained.course) > 2:
        scores = ", ".join(_figure(score, job) for _, score in trained.course[1:])
        click.echo(f"held-out {job.measure} after each epoch: {scores}")
    if trained.history.guard:
        _say_guard(trained.history.guard)
    for line in complaints(trained.history.counters, anatomy, trained.learned.weights):
        click.echo(f"warning: {line}")


def _figure(score: float, job: Job) -> str:
    return f"{score:.4g}" if job.objective else f"{score:.1f} %"


def _say_guard(report: GuardReport) -> None:
    click.echo(
        f"guard: {report.best.correct} of {counted(report.samples, 'held-out sample')} correct; "
        f"{counted(report.evaluations, 'evaluation')}, {counted(report.rollbacks, 'return')} "
        "to the best weights"
    )
