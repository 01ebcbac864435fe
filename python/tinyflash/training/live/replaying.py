"""Replays labelled windows in the order of time: each is classified, then learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyflash.errors import LinkError
from tinyflash.graph import Graph
from tinyflash.program import Program
from tinyflash.runtime.guard import GuardReport
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.session import Counters, Session
from tinyflash.training.live.course import Course, Seen
from tinyflash.training.live.learner import Answer, Beginning, Ending, Learner, Settings
from tinyflash.training.loop import evaluate
from tinyflash.training.samples import Samples

LOOKS = 200  # readings of the counters in a run


@dataclass(frozen=True)
class Stream:
    """Labelled windows in the order of time; others to judge by, before and after; may be none.

    settings: how to learn. held_out: a guard's samples. accumulate: samples per update.
    """

    windows: Samples
    test: Samples
    settings: Settings
    held_out: Samples | None = None
    accumulate: int = 1

    @property
    def look_every(self) -> int:
        """The windows between two readings of the counters."""
        return max(1, len(self.windows) // LOOKS)


@dataclass(frozen=True)
class Lived:
    """A run so far. before, after: accuracy in percent on the test windows; None: not yet, or there
    are none. finished: all windows were seen, and what follows is done. broken: why the board no
    longer answers. guard: its report, at the end."""

    course: Course
    counters: tuple[Counters, ...]
    ending: Ending
    before: float | None = None
    after: float | None = None
    finished: bool = False
    broken: LinkError | None = None
    guard: GuardReport | None = None
    tested: int = 0  # test windows


def replay(
    stream: Stream,
    session: Session,
    graph: Graph,
    program: Program,
    start: Beginning,
    begun: Lived | None = None,
    listen: Callable[[int, Learner, Seen, Answer], object] = lambda _n, _l, _s, _a: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Lived:
    """Replays the stream, or what `begun` left of it. A board that no longer answers ends the run
    as an interruption does: `broken`. listen: called after each window with its number from 0, and
    how it was classified.

    Accuracy on the test windows is computed on this computer, which has the same bytes.
    """
    twin = None if isinstance(session, HostSession) else HostSession(program)
    learner = Learner(session, graph, stream.settings, twin)
    seen = [] if begun is None else list(begun.course.seen)
    counters = [] if begun is None else list(begun.counters)
    before = None if begun is None else begun.before
    finished, broken, after, guard = False, None, None, None
    try:
        learner.begin(start)
        _repeat(learner, seen)
        if begun is None:
            before = _accuracy(learner, stream, graph)
            counters.append(learner.counters())
        windows = stream.windows
        while len(seen) < len(windows) and not stopped():
            x, label = windows.x[len(seen)], int(windows.labels[len(seen)])
            answer, one = learner.see(x, label)
            seen.append(one)
            if len(seen) % stream.look_every == 0:
                counters.append(learner.counters())
            listen(len(seen) - 1, learner, one, answer)
        if len(seen) == len(windows) and not stopped():
            guard = _finish(learner, stream)
            after, finished = _accuracy(learner, stream, graph), True
    except LinkError as error:
        if not learner.ready:
            raise
        broken = error
    course = Course(tuple(seen))
    ending, tested = learner.kept(), len(stream.test)
    return Lived(course, tuple(counters), ending, before, after, finished, broken, guard, tested)


def _repeat(learner: Learner, seen: list[Seen]) -> None:
    """Tells the learner of windows of before."""
    for one in seen:
        learner.ddm.add(not one.correct)
        learner.steps += one.learned


def _finish(learner: Learner, stream: Stream) -> GuardReport | None:
    """Completes a group of samples, ends the guard, and compares board and computer."""
    if stream.accumulate > 1:
        learner.complete(stream.windows, stream.accumulate)
    report = learner.finish()
    learner.check()
    return report


def _accuracy(learner: Learner, stream: Stream, graph: Graph) -> float | None:
    if not len(stream.test):
        return None
    return evaluate(learner.near, stream.test, output=graph.output).score


def learned_of(ending: Ending, program: Program) -> Learned:
    return Learned(program.hash, ending.weights, ending.state)


def none_of(samples: Samples) -> Samples:
    """Returns no samples, of the same shape."""
    return samples.take(np.zeros(0, np.int64))
