"""tinyflash train --live: a person labels the stream of a board's sensor, and it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from tinyflash.cli.keys import pressed
from tinyflash.cli.labelling import names_of
from tinyflash.cli.lesson import Eyes, Lessons
from tinyflash.cli.live_start import (
    RING,
    Asked,
    beginning_of,
    check_sensor,
    give_sensor,
    load_stream,
    make_ready,
)
from tinyflash.cli.live_told import say_lived
from tinyflash.cli.stopping import Stop, stopping
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.show.words import counted
from tinyflash.training.front_end import KEY, check_same, front_end_of
from tinyflash.training.live.course import Seen
from tinyflash.training.live.learner import Learner
from tinyflash.training.live.replaying import Lived, Stream
from tinyflash.training.live.saving import keep, save
from tinyflash.training.live.teaching import Teacher, Window
from tinyflash.training.live.telling import LessonTeller
from tinyflash.training.loop import evaluate
from tinyflash.training.open import Ready, open_session, settle
from tinyflash.training.samples import Samples


def teach(asked: Asked) -> None:
    """Lets a person teach, and saves what was learned."""
    prepared, data, given, start = asked.prepared, asked.data, asked.given, asked.start
    output, watch, place = asked.output, asked.watch, asked.place
    check_sensor(place, given)
    stream, earlier = load_stream(prepared, data, asked.rate, watch, given, start.seed)
    classes = _named(given.labels, prepared.whole.output.shape[-1])
    ready = make_ready(
        prepared, earlier, place.board, given.replay, start.seed, asked.rows, asked.effort
    )
    beginning, _ = beginning_of(ready, stream, earlier, replace(start, new=True))
    known = front_end_of((given.earlier, data.test), start.resume, ready.hash)
    settle(ready, output)
    slots, run = given.replay, place.running
    give_sensor(given, output)
    with (
        open_session(ready, output, watch.samples, run, replay=slots, collect=RING) as session,
        watched(asked.shown.wanted, output) as page,
        stopping() as stop,
        pressed() as typed,
    ):
        assert isinstance(session, DeviceSession)
        board = session.info.board
        replace(asked.shown, classes=classes).begin(page, "train --live", board, ready, output)
        program = ready.compiled.program
        learner = Learner(session, ready.compiled.graph, stream.settings, HostSession(program))
        telling = LessonTeller(page, ready)
        teacher = Teacher(learner, classes)

        def learned(_window: Window, one: Seen) -> None:
            keep(learner.kept(), program, output / "learned.npz")
            telling.learned(len(teacher.seen) - 1, one, learner)

        teacher.learned = learned
        learner.begin(beginning)
        before = _accuracy(learner, stream)
        teacher.counters.append(learner.counters())
        sensor = session.sensor()
        found = sensor.info.front_end
        check_same(known, "what the network has learned", found, f"the sensor of {board}")
        eyes = Eyes(sensor, ready.compiled.graph.input, data.hop)
        broken = Lessons(teacher, eyes, classes, stop, typed, telling, page.presses).hold()
        lived = _end(teacher, stream, before, broken)
        page.end(STOPPED if stop() or broken else FINISHED)
    assert prepared.scheme is not None
    more: dict[str, object] = {
        "scheme": scheme_text(prepared.scheme),
        "seed": start.seed,
        KEY: found,
    }
    if lived.course.seen:
        save(lived, stream.settings, ready, output, more)
    _close(lived, stop, ready, output)


def _named(labels: str, count: int) -> tuple[str, ...]:
    """Returns a name for each class."""
    names = names_of(labels)
    if len(names) > count:
        raise DataError(f"--labels has {len(names)} names; the network has {count} classes")
    return (*names, *(f"class {number}" for number in range(len(names), count)))


# ---- After ---------------------------------------------------------------------------------------


def _accuracy(learner: Learner, stream: Stream) -> float | None:
    if not len(stream.test):
        return None
    return evaluate(learner.near, stream.test, output=learner.graph.output).score


def _end(teacher: Teacher, stream: Stream, before: float | None, broken: LinkError | None) -> Lived:
    """Completes a group of samples, ends the guard, and compares board and computer; a board that
    does not answer leaves what this computer has."""
    learner, after, guard = teacher.learner, None, None
    try:
        if broken is None:
            if stream.accumulate > 1 and teacher.labelled:
                window, label = teacher.labelled[-1]
                last = Samples(window.x[np.newaxis], np.array([label], np.int64))
                learner.complete(last, stream.accumulate)
            guard = learner.finish()
            learner.check()
            after = _accuracy(learner, stream)
    except LinkError as error:
        broken = error
    counters, is_whole = tuple(teacher.counters), broken is None
    found = (teacher.course, counters, learner.kept(), before, after, is_whole)
    return Lived(*found, broken, guard, len(stream.test))


def _close(lived: Lived, stop: Stop, ready: Ready, output: Path) -> None:
    """Says how it ended, and what it has learned."""
    done, path = len(lived.course.seen), output / "learned.npz"
    if done:
        say_lived(lived, ready)
        say(f"wrote {output}/learned.npz, training.json and report.html")
    if lived.broken is None and not stop():
        if not done:
            tell("no window was labelled; it has learned nothing new, and wrote nothing")
        return
    why = stop.reason if lived.broken is None else "a lost board"
    kept = f"; to go on, add --resume {path}" if done else "; it has learned nothing new"
    tell(f"stopped by {why} after {counted(done, 'label')}{kept}")
    if lived.broken is not None:
        raise lived.broken
    raise click.exceptions.Exit(stop.exit_code)
