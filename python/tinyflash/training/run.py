"""Runs a training job in a session: evaluates, trains, evaluates; may end early, and go on."""

from __future__ import annotations

from collections.abc import Callable

from tinyflash.graph import Port
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.session import Session
from tinyflash.show.console import counting, watching
from tinyflash.show.watch.observer import NOBODY, Observer
from tinyflash.training.job import Job, Trained
from tinyflash.training.loop import Evaluation, History, Step, evaluate, train
from tinyflash.training.open import Ready
from tinyflash.training.telling import Teller, teller_of


class _StoppedError(Exception):
    """Ends an evaluation."""


def run(
    job: Job,
    session: Session,
    ready: Ready,
    where: str = "",
    *,
    stopped: Callable[[], bool] = lambda: False,
    begun: Trained | None = None,
    after_step: Callable[[int], object] = lambda _: None,
    observer: Observer = NOBODY,
) -> Trained:
    """Evaluates, trains, evaluates, and reads back the learned bytes, with progress bars.

    where: the prefix of each bar's text. stopped: asked after every sample; if it is True, the run
    ends there, interrupted. begun: the interrupted run of this job that goes on. after_step: called
    with the number of training steps done. observer: is told what happens.
    """
    if begun is not None:
        begun.learned.restore(session)
    tell = teller_of(observer, job, session, ready)
    judge = _Judge(job, session, ready.compiled.graph.output, stopped, tell)
    course = [] if begun is None else list(begun.course)
    before = None if begun is None else begun.before
    history, after = History((), finished=False), None
    try:
        if begun is None:
            before = judge.shown(f"{where}evaluate", 0, course)
        history = _learn(judge, ready, f"{where}train", course, begun, after_step)
        if history.finished:
            after = judge.shown(f"{where}evaluate again", len(history.steps), course)
    except _StoppedError:
        pass
    interrupted = not history.finished or (after is None and len(job.held_out) > 0)
    learned = Learned.of(session, ready.compiled.program)
    tell.learned(len(history.steps), learned.weights)
    return Trained(before, history, after, learned, tuple(course), interrupted)


def _learn(
    judge: _Judge,
    ready: Ready,
    text: str,
    course: list[tuple[int, float]],
    begun: Trained | None,
    after_step: Callable[[int], object],
) -> History:
    """Trains, and evaluates after each epoch. What it stops in the middle of an evaluation is a run
    that goes on with this evaluation."""
    job, stopped, tell = judge.job, judge.stopped, judge.tell
    tell.goes_on(begun.history if begun else None)

    def stops(done: int) -> bool:
        try:
            if job.evaluates_after(done) and done not in dict(course):
                judge(done, course)
        except _StoppedError:
            return True
        return stopped()

    with watching(text, job.steps) as show:

        def listen(step: Step) -> bool:
            show(step)
            tell.step(step)
            after_step(step.number + 1)
            return stops(step.number + 1)

        if begun and stops(len(begun.history.steps)):
            return begun.history
        return train(
            judge.session,
            job.train,
            job.recipe,
            listen,
            guard=job.guard,
            look_every=job.look_every,
            objective=job.objective,
            accumulate=ready.compiled.accumulate,
            begun=begun.history if begun else None,
            look=tell.look,
        )


class _Judge:
    """Evaluates the held-out samples of a job. Raises _StoppedError if that is what the caller
    wants, and not all of them are done."""

    def __init__(
        self,
        job: Job,
        session: Session,
        output: Port,
        stopped: Callable[[], bool],
        tell: Teller,
    ) -> None:
        self.job, self.session, self.stopped, self._output = job, session, stopped, output
        self.tell = tell

    def __call__(
        self,
        done: int,
        course: list[tuple[int, float]],
        show: Callable[[int], object] = lambda _: None,
    ) -> Evaluation:
        """Evaluates after `done` steps, and adds the score to `course`."""
        job = self.job

        def listen(count: int) -> None:
            show(count)
            if self.stopped() and count < len(job.held_out):
                raise _StoppedError

        found = evaluate(self.session, job.held_out, job.objective, listen, self._output)
        course.append((done, found.score))
        self.tell.judged(done, found)
        return found

    def shown(self, text: str, done: int, course: list[tuple[int, float]]) -> Evaluation | None:
        """The same with a progress bar; None without held-out samples."""
        if len(self.job.held_out) == 0:
            return None
        with counting(text, len(self.job.held_out)) as show:
            return self(done, course, show)
