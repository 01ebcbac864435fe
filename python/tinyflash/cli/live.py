"""tinyflash train --live: learns from windows in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from tinyflash.cli.live_options import LiveOptions
from tinyflash.cli.live_start import Data, Place, Start, beginning_of, load_stream, make_ready
from tinyflash.cli.live_told import say_lived
from tinyflash.cli.shown import Shown
from tinyflash.cli.stopping import Stop, stopping
from tinyflash.compiler import Prepared
from tinyflash.compiler.plan import Effort
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.session import Session
from tinyflash.scheme.text import scheme_text
from tinyflash.show.console import noting, say, tell
from tinyflash.show.watch.observer import FINISHED, STOPPED
from tinyflash.show.watch.watched import watched
from tinyflash.training.front_end import KEY, front_end_of
from tinyflash.training.job import Watch
from tinyflash.training.live.course import Seen
from tinyflash.training.live.learner import Answer, Learner
from tinyflash.training.live.replaying import Lived, Stream, replay
from tinyflash.training.live.saving import save
from tinyflash.training.live.telling import Teller
from tinyflash.training.open import Ready, open_session, settle


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
    stream, earlier = load_stream(prepared, data, rate, watch, given, start.seed)
    samples, slots = stream.windows, given.replay
    ready = make_ready(prepared, samples, place.board, slots, start.seed, rows, effort)
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
        _keep(lived, stream, ready, output, more)
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


def _keep(
    lived: Lived,
    stream: Stream,
    ready: Ready,
    output: Path,
    more: Mapping[str, object],
) -> None:
    """Writes the files of the run."""
    save(lived, stream.settings, ready, output, more, stream)


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
