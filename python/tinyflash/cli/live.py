"""tinyflash train --live: learns from windows in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tinyflash.cli.live_start import (
    Asked,
    Place,
    beginning_of,
    load_stream,
    make_ready,
    name_of,
)
from tinyflash.cli.live_told import say_lived
from tinyflash.cli.stopping import Stop, stopping
from tinyflash.runtime.session import Session
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import noting, say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.training.front_end import KEY, front_end_of
from tinyflash.training.live.course import Seen
from tinyflash.training.live.learner import Answer, Learner
from tinyflash.training.live.replaying import Lived, replay
from tinyflash.training.live.saving import save
from tinyflash.training.live.telling import Teller
from tinyflash.training.open import Ready, open_session, settle


def learn_live(asked: Asked) -> None:
    """Replays labelled windows, and saves what was learned."""
    prepared, data, given, start = asked.prepared, asked.data, asked.given, asked.start
    output, watch = asked.output, asked.watch
    stream, earlier = load_stream(prepared, data, asked.rate, watch, given, start.seed)
    samples, slots = stream.windows, given.replay
    ready = make_ready(
        prepared, samples, asked.place.board, slots, start.seed, asked.rows, asked.effort
    )
    beginning, begun = beginning_of(ready, stream, earlier, start)
    assert prepared.scheme is not None
    more: dict[str, object] = {
        "scheme": scheme_text(prepared.scheme),
        "seed": start.seed,
        "samples": len(stream.windows),
        "held_out": len(stream.test),
        KEY: front_end_of((data.stream, given.earlier, data.test), start.resume, ready.hash),
    }
    settle(ready, output)
    with (
        _session(ready, output, asked.place, watch.samples, slots) as (session, stop),
        watched(asked.shown.wanted, output) as page,
        noting("live", len(stream.windows)) as show,
    ):
        asked.shown.begin(page, "train --live", name_of(session), ready, output)
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
        save(lived, stream.settings, ready, output, more, stream)
    if not lived.finished:
        _end(lived, stop, before, len(stream.windows), output)
    say_lived(lived, ready)
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


# ---- After ---------------------------------------------------------------------------------------


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
