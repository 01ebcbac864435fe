"""tinyflash train --live: learns from windows in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tinyflash.boards import Board, kernels_for
from tinyflash.cli.live_options import LiveOptions
from tinyflash.cli.shown import Shown
from tinyflash.cli.stopping import Stop, stopping
from tinyflash.compiler import Prepared, compile_model
from tinyflash.compiler.plan import Effort
from tinyflash.data.splits import TRAIN
from tinyflash.errors import DataError
from tinyflash.files import write_json
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.learned import Learned, load_learned
from tinyflash.runtime.replay import check_can_replay
from tinyflash.runtime.session import Session
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import noting, say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.show.words import counted
from tinyflash.training.health import Anatomy, complaints
from tinyflash.training.job import Watch, check_scores, learned_is_in
from tinyflash.training.live.course import SLIDING, Seen
from tinyflash.training.live.filling import divided, filled
from tinyflash.training.live.learner import Answer, Beginning, Learner, Settings
from tinyflash.training.live.replaying import Lived, Stream, none_of, replay
from tinyflash.training.live.saving import load_interrupted, load_memory, save
from tinyflash.training.live.telling import Teller
from tinyflash.training.open import Ready, Running, open_session, settle
from tinyflash.training.samples import Samples, Source, load_samples
from tinyflash.training.targets import objective_of


@dataclass(frozen=True)
class Place:
    """Where a run takes place: a board to compile for, or None for this computer; one that runs."""

    board: Board | None
    running: Running | None = None
    name: str = "host"


@dataclass(frozen=True)
class Data:
    """Samples of a live run, as files or sets."""

    stream: Path
    test: Path | None
    hop: int | None


@dataclass(frozen=True)
class Start:
    """resume: the learned.npz to go on from. new: its interrupted run does not go on."""

    resume: Path | None
    new: bool
    seed: int


def learn_live(
    prepared: Prepared,
    data: Data,
    place: Place,
    rate: float,
    watch: Watch,
    given: LiveOptions,
    start: Start,
    effort: Effort,
    rows: bool,
    output: Path,
    shown: Shown,
) -> None:
    """Replays labelled windows, and saves what was learned."""
    stream, earlier = _stream(prepared, data, rate, watch, given, start.seed)
    ready = _ready(prepared, stream, place.board, given.replay, start.seed, rows, effort)
    beginning, begun = _beginning(ready, stream, earlier, start)
    assert prepared.scheme is not None
    more: dict[str, object] = {
        "scheme": scheme_text(prepared.scheme),
        "seed": start.seed,
        "samples": len(stream.windows),
        "held_out": len(stream.test),
    }
    settle(ready, output)
    with (
        _session(ready, output, place, watch.samples, given.replay) as (session, stop),
        watched(shown.wanted, output) as page,
        noting("live", len(stream.windows)) as show,
    ):
        where = session.info.board if isinstance(session, DeviceSession) else "host"
        shown.begin(page, "train --live", where, ready, output)
        tell_page = Teller(page, stream, ready, () if begun is None else begun.course.seen)

        def listen(number: int, learner: Learner, one: Seen, answer: Answer) -> None:
            show(number + 1, f"loss {one.loss:.2f} {learner.level}")
            tell_page(number, learner, one, answer)

        lived = replay(
            *(stream, session, ready.compiled.graph, ready.compiled.program, beginning),
            *(begun, listen, stop),
        )
        page.end(FINISHED if lived.finished else STOPPED)
    before = 0 if begun is None else len(begun.course.seen)
    if lived.finished or len(lived.course.seen) > before:
        _keep(lived, stream, ready, output, given, more)
    if not lived.finished:
        _end(lived, stop, before, len(stream.windows), output)
    _say(lived, ready)
    say(f"wrote {output}/learned.npz, training.json and report.html")


@contextmanager
def _session(
    ready: Ready, output: Path, place: Place, guard: int, slots: int
) -> Iterator[tuple[Session, Stop]]:
    with (
        open_session(ready, output, guard, place.running, replay=slots) as session,
        stopping() as stop,
    ):
        yield session, stop


# ---- Before --------------------------------------------------------------------------------------


def _stream(
    prepared: Prepared, data: Data, rate: float, watch: Watch, given: LiveOptions, seed: int
) -> tuple[Stream, Samples | None]:
    """Returns the stream, and the earlier samples that may be kept to replay."""
    if objective_of(prepared) is not None:
        raise DataError("live learning needs labels, but the scheme's loss takes targets")
    if watch.samples:
        check_scores(prepared)
    port, classes = prepared.whole.input, prepared.whole.output.shape[-1]

    def load(path: Path) -> Samples:
        source = Source.of(path)
        part = TRAIN if source.dataset is not None and TRAIN in source.dataset.splits else None
        return load_samples(replace(source, part=part, hop=data.hop), port, classes)

    windows = load(data.stream)
    earlier = None if given.earlier is None else load(given.earlier)
    kept, held_out = divided(earlier, watch.samples, seed)
    test = none_of(windows)
    if data.test is not None:
        test = load_samples(Source.to_test(data.test, data.hop), port, classes)
    accumulate = prepared.scheme.optimizer.accumulate if prepared.scheme else 1
    settings = Settings(
        *(rate, given.replay, given.repeats, given.surprising, given.skips),
        *(watch.interval(accumulate), watch.tolerance),
    )
    return Stream(windows, test, settings, held_out, accumulate), kept


def _ready(
    prepared: Prepared,
    stream: Stream,
    board: Board | None,
    slots: int,
    seed: int,
    rows: bool,
    effort: Effort,
) -> Ready:
    samples = stream.windows.x, stream.windows.y
    compiled = compile_model(prepared, None, samples, seed, rows, effort, kernels_for(board))
    if slots:
        check_can_replay(compiled.program.classes, compiled.program.row_bytes)
    return Ready.of(compiled, board, slots)


def _beginning(
    ready: Ready, stream: Stream, earlier: Samples | None, start: Start
) -> tuple[Beginning, Lived | None]:
    """Returns what the run starts with, and the interrupted run that it goes on from, if any."""
    program, slots = ready.compiled.program, stream.settings.slots
    learned, memory, begun = Learned.compiled(program), None, None
    if start.resume is not None:
        learned = load_learned(start.resume, program)
        memory = load_memory(start.resume, program, slots)
        if not start.new:
            begun = load_interrupted(start.resume, learned, stream, program)
    if slots and memory is None:
        memory = filled(ready.compiled, slots, start.seed, earlier, learned)
    guard = None if begun is None else begun.ending.guard
    return Beginning(learned, memory, stream.held_out, guard), begun


# ---- After ---------------------------------------------------------------------------------------


def _keep(
    lived: Lived,
    stream: Stream,
    ready: Ready,
    output: Path,
    given: LiveOptions,
    more: Mapping[str, object],
) -> None:
    """Writes the files of the run."""
    record = save(lived, stream.settings, ready, output, more, stream)
    if given.json_path is not None:
        with learned_is_in(output / "learned.npz"):
            write_json(given.json_path, record)


def _end(lived: Lived, stop: Stop, before: int, of: int, output: Path) -> None:
    """Says that a run was interrupted, and ends the command."""
    path, done = output / "learned.npz", len(lived.course.seen)
    why = stop.reason if lived.broken is None else "a lost board"
    where = f"stopped by {why} after {done:,} of {of:,} windows"
    if done > before:
        tell(f"{where}; wrote {path}; to go on, repeat the command with --resume {path}")
    else:
        tell(f"{where}; it has learned nothing new, and wrote nothing")
    if lived.broken is not None:
        raise lived.broken
    raise click.exceptions.Exit(stop.exit_code)


def _say(lived: Lived, ready: Ready) -> None:
    """Prints the results, and warnings."""
    course = lived.course
    overall, last = course.accuracy(), course.accuracy(SLIDING)
    click.echo(
        f"prequential accuracy: {overall:.1f} % of {counted(len(course.seen), 'window')}, "
        f"{last:.1f} % of the last {min(SLIDING, len(course.seen))}"
    )
    click.echo(
        f"learned from {course.learned:,} windows; {counted(course.surprising, 'label')} surprised"
    )
    for moment, found in (("before", lived.before), ("after", lived.after)):
        if found is not None:
            click.echo(f"test accuracy {moment}: {found:.1f} %")
    for number in course.drifts:
        click.echo(f"drift: more errors than before, found by DDM at window {number + 1:,}")
    if lived.guard is not None:
        click.echo(
            f"guard: {lived.guard.best.correct} of "
            f"{counted(lived.guard.samples, 'held-out sample')} correct; "
            f"{counted(lived.guard.evaluations, 'evaluation')}, "
            f"{counted(lived.guard.rollbacks, 'return')} to the best weights"
        )
    anatomy, weights = Anatomy.of(ready.compiled), lived.ending.weights
    for line in complaints(lived.counters, anatomy, weights):
        click.echo(f"warning: {line}")
