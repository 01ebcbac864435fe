"""tinyflash train --live --normal: learns without labels what is normal here, then watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np

from tinyflash.cli.keys import pressed
from tinyflash.cli.lesson import Eyes
from tinyflash.cli.live_options import LiveOptions
from tinyflash.cli.live_start import (
    RING,
    Asked,
    Data,
    Place,
    Start,
    check_sensor,
    give_sensor,
    make_ready,
    name_of,
)
from tinyflash.cli.record_option import JUDGED
from tinyflash.cli.stopping import stopping
from tinyflash.cli.vigil import Show, Vigil, windows_of
from tinyflash.compiler import Prepared
from tinyflash.data.samples import window_for
from tinyflash.data.splits import TRAIN
from tinyflash.data.windows import cut
from tinyflash.errors import DataError, LinkError
from tinyflash.files import write_json
from tinyflash.graph import Port
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned, load_learned
from tinyflash.runtime.session import Int8Array, Session
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import noting, say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.show.words import counted
from tinyflash.training.front_end import KEY, RECORD, check_same, front_end_of
from tinyflash.training.job import learned_is_in
from tinyflash.training.live.judged import Windows, by_label, load, record_of, write_report
from tinyflash.training.live.normal import Course, Verdict, Watchman, own_targets
from tinyflash.training.live.telling_normal import NormalTeller
from tinyflash.training.open import Ready, open_session, settle
from tinyflash.training.samples import Source, encoded, load_pairs
from tinyflash.training.targets import Objective, objective_of


def watch_normal(asked: Asked) -> None:
    """Learns what is normal, lets the board set its threshold, and watches."""
    prepared, data, given, start = asked.prepared, asked.data, asked.given, asked.start
    output, place = asked.output, asked.place
    objective, course = _checked(prepared, place, given, asked.rate)
    windows = None if data.stream is None else _load(data.stream, prepared.whole.input, data.hop)
    _check_count(windows, course)
    ready = make_ready(prepared, None, place.board, 0, start.seed, asked.rows, asked.effort)
    program, port = ready.compiled.program, prepared.whole.input
    learned, seen = _begun(ready, course, windows, start)
    saved = None if course.windows else output / "learned.npz"  # by a board, of an earlier run
    known = front_end_of((data.stream,), start.resume or saved, ready.hash)
    settle(ready, output)
    collect = 0 if given.auto else RING
    if collect:
        give_sensor(given, output)
    keeps = given.saves or learned is None
    with (
        open_session(ready, output, 0, place.running, stores=keeps, collect=collect) as session,
        watched(asked.shown.wanted, output) as page,
        stopping() as stop,
        ExitStack() as after,
    ):
        near = session if isinstance(session, HostSession) else HostSession(program)
        man = Watchman(session, near, program, objective, port, course)
        _begin(man, learned, seen)
        before, board = len(man.seen), name_of(session)
        _check_store(given, session)
        known = _front_end(known, windows, session)
        asked.shown.begin(page, "train --live", board, ready, output)
        total = 0 if windows is None else len(windows.x)
        path = output / "learned.npz" if course.windows else None
        teller = NormalTeller(page, ready, man, total)
        vigil = Vigil(man, windows, teller, stop, given.judge, given.saves, path)
        source, show = _source(vigil, data, after)
        broken = vigil.hold(source, show)
        page.end(STOPPED if stop() or broken else FINISHED)
    assert prepared.scheme is not None
    more = {"scheme": scheme_text(prepared.scheme), "seed": start.seed, KEY: known}
    is_whole = bool(man.seen) and broken is None and not stop()  # also one that ended before
    if is_new := is_whole or len(man.seen) > before:
        vigil.keep()
        _write(vigil, ready, board, output, more)
    _say(man, windows, board)
    _close(vigil, is_new, broken, output)


# ---- Before --------------------------------------------------------------------------------------


def _checked(
    prepared: Prepared, place: Place, given: LiveOptions, rate: float
) -> tuple[Objective, Course]:
    """Raises DataError for a network or options with which nothing can be learned."""
    objective, port = objective_of(prepared), prepared.whole.input
    if objective is None:
        raise DataError(
            '--normal needs an autoencoder that learns with loss = "mean_squared_error"; say so '
            "in its --scheme"
        )
    own_targets(objective, port, np.zeros((1, *port.shape[1:]), np.int8))
    learn, accumulate = given.normal or 0, 1
    if prepared.scheme is not None:
        accumulate = prepared.scheme.optimizer.accumulate
    if 0 < learn < accumulate:
        raise DataError(
            f"--normal {learn} is less than the {accumulate} windows of one update of the scheme; "
            "learn from more"
        )
    if not given.auto:
        check_sensor(place, given)
    if given.saves and place.board is None and place.running is None:
        raise DataError("--save saves on a board; give --board or --port")
    return objective, Course(learn, given.hold if learn else 0, given.rank, rate, accumulate)


def _load(path: Path, port: Port, hop: int | None) -> Windows:
    """Returns the windows of a file or a set, labelled or not, in the order of time."""
    source = Source.of(path)
    dataset = source.dataset
    if dataset is None:
        x, y = load_pairs(source, port)
        is_labelled = y is not None and y.ndim == 1 and y.dtype.kind in "biu"
        return Windows(x, y.astype(np.int64) if is_labelled and y is not None else None)
    window = window_for(dataset, port.shape[1:])
    part = dataset.part(TRAIN if TRAIN in dataset.splits else None)
    found = cut(dataset, part, window, hop or max(1, window // 2), unlabelled=True)
    if not len(found.y):
        raise DataError(f"{path} has no window of {window} frames; record longer")
    labels = found.y if dataset.classes else None
    x = encoded(found.x, source.units_for(port), str(path))
    return Windows(x, labels, dataset.classes)


def _check_count(windows: Windows | None, course: Course) -> None:
    if windows is not None and len(windows.x) <= course.windows:
        raise DataError(
            f"--data has {counted(len(windows.x), 'window')}; --normal {course.learn} and --hold "
            f"{course.hold} take {course.windows:,}, and more are to be judged; give more, or "
            "lower them"
        )


def _begun(
    ready: Ready, course: Course, windows: Windows | None, start: Start
) -> tuple[Learned | None, list[Verdict]]:
    """Returns what the run starts with, and the windows of an interrupted run. None: what the board
    has saved."""
    program = ready.compiled.program
    if start.resume is None:
        return (Learned.compiled(program) if course.windows else None), []
    learned = load_learned(start.resume, program)
    goes_on = course.windows and not start.new
    return learned, load(start.resume, course, windows) if goes_on else []


def _begin(man: Watchman, learned: Learned | None, seen: list[Verdict]) -> None:
    if learned is not None:
        man.begin(learned, seen)
    elif man.session is not man.near:
        man.adopt()
    if not man.course.windows and not man.threshold:
        where = "this computer" if man.session is man.near else "the board"
        where = where if learned is None else "what --resume names"
        raise DataError(
            f"{where} has no threshold yet; learn what is normal with --normal WINDOWS, or name "
            "the run that has, with --resume"
        )


def _check_store(given: LiveOptions, session: Session) -> None:
    """Raises LinkError for a board that cannot save, before it learns."""
    if given.saves and isinstance(session, DeviceSession) and not session.info.stores:
        raise LinkError(f"board {session.info.board} has no flash to save to; leave out --save")


def _front_end(known: str | None, windows: Windows | None, session: Session) -> str | None:
    """Returns what the windows are made by. known: what the network has learned, or the set."""
    if windows is not None:
        return known
    assert isinstance(session, DeviceSession)
    found = session.sensor().info.front_end
    check_same(known, "what the network has learned", found, f"the sensor of {name_of(session)}")
    return found


def _source(vigil: Vigil, data: Data, after: ExitStack) -> tuple[Iterator[Int8Array], Show]:
    """Returns the windows to come, and what shows how far they are."""
    man = vigil.man
    if vigil.windows is not None:
        x = vigil.windows.x
        show = after.enter_context(noting("normal", len(x)))
        return iter(x[len(man.seen) :]), show
    assert isinstance(man.session, DeviceSession)
    typed = after.enter_context(pressed())
    eyes = Eyes(man.session.sensor(), man.port, data.hop)
    _check_sensor_length(eyes, man)
    return windows_of(vigil, eyes, typed), lambda _done, _note: None


def _check_sensor_length(eyes: Eyes, man: Watchman) -> None:
    """Raises DataError if a recording ends before the threshold can be set."""
    there, missing = eyes.windows, man.course.windows - len(man.seen)
    if there is not None and there < missing:
        raise DataError(
            f"the sensor gives {there:,} windows; --normal and --hold take {missing:,} more; lower "
            "them, or --hop, or give a longer recording"
        )


# ---- After ---------------------------------------------------------------------------------------


def _write(
    vigil: Vigil,
    ready: Ready,
    board: str,
    output: Path,
    more: Mapping[str, object],
) -> None:
    """Writes the files of the run."""
    record = record_of(vigil.man, vigil.windows, board, more)
    with learned_is_in(output / "learned.npz"):
        if vigil.path is None:  # training.json is that of the run that has learned
            write_json(output / JUDGED, record)
        else:
            write_json(output / RECORD, record)
            write_report(vigil.man, ready, board, output)


def _say(man: Watchman, windows: Windows | None, board: str) -> None:
    """Prints the results."""
    course, judged = man.course, [v.abnormal for v in man.seen if v.abnormal is not None]
    learned = min(len(man.seen), course.learn)
    if course.windows:
        click.echo(f"learned from {counted(learned, 'window')}")
    if man.threshold and len(man.seen) >= course.windows:
        click.echo(f"threshold on {board}: {man.threshold:,}")
    if judged:
        share = 100 * sum(judged) / len(judged)
        click.echo(f"abnormal: {sum(judged):,} of {counted(len(judged), 'window')}, {share:.1f} %")
    for name, count in (by_label(man.seen, windows) or {}).items():
        click.echo(f"  {name}: {count['abnormal']:,} of {count['judged']:,}")


def _close(vigil: Vigil, is_new: bool, broken: LinkError | None, output: Path) -> None:
    """Says how it ended."""
    man, stop = vigil.man, vigil.stop
    path, done, of = output / "learned.npz", len(man.seen), man.course.windows
    is_kept = vigil.path is not None and is_new
    if is_kept:
        say(f"wrote {path}, training.json and report.html")
    elif vigil.path is None and done:
        say(f"wrote {output / JUDGED}")
    to_go_on = f"; to go on, add --resume {path}" if is_kept else ""
    if broken is not None or stop():
        why = stop.reason if broken is None else "a lost board"
        tell(f"stopped by {why} after {counted(done, 'window')}{to_go_on}")
    if broken is not None:
        raise broken
    if stop():
        raise click.exceptions.Exit(stop.exit_code)
    if done < of:
        raise DataError(
            f"the stream ended after {done:,} of the {of:,} windows that --normal and --hold "
            f"take{to_go_on}"
        )
