"""An interrupted run in learned.npz: everything besides weights and state that it needs to go on to
the bytes of a run without a break."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.errors import DataError
from tinyflash.runtime.guard import GuardMemory, GuardReport, Score, snapshot_bytes
from tinyflash.runtime.host.schedule import rate_at
from tinyflash.runtime.learned import LARGEST, Learned, impossible_snapshot
from tinyflash.runtime.session import Counters
from tinyflash.training.job import Job, Trained
from tinyflash.training.loop import Evaluation, History, Step, evaluation
from tinyflash.training.open import Ready

_NO_LABEL = -1  # in place of whether a label was predicted
Run = TypeVar("Run")

_RUN = "run"  # the array that marks an interrupted run: its settings, as JSON
_FILE = "a whole file of learned weights"


def settings_of(job: Job) -> dict[str, object]:
    """Returns what must be the same when a run goes on, by the option that sets it."""
    recipe, guard = job.recipe, job.guard
    digest = hashlib.sha256()
    for samples in (job.train, job.held_out, *(() if guard is None else (guard.held_out,))):
        for array in (samples.x, samples.y):
            digest.update(repr((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return {
        "--epochs": recipe.epochs,
        "--rate": recipe.rate,
        "--schedule": recipe.schedule,
        "--warmup": recipe.warmup,
        "--seed": recipe.seed,
        "--guard": 0 if guard is None else len(guard.held_out),
        "--guard-every": None if guard is None else guard.every,
        "--guard-tolerance": None if guard is None else guard.tolerance,
        "--data, --validation or --test": digest.hexdigest(),
    }


# ---- To arrays -----------------------------------------------------------------------------------


def arrays_of(trained: Trained, job: Job) -> dict[str, Numbers]:
    """Returns the arrays of an interrupted run, which go into learned.npz by name."""
    history, steps = trained.history, trained.history.steps
    correct = [_NO_LABEL if step.correct is None else int(step.correct) for step in steps]
    arrays: dict[str, Numbers] = {
        _RUN: np.frombuffer(json.dumps(settings_of(job)).encode(), np.uint8),
        "finished": np.array(history.finished),  # all steps: only an evaluation is missing
        "losses": np.array([step.loss for step in steps], np.float64),
        "correct": np.array(correct, np.int8),
        "course": np.array(trained.course, np.float64).reshape(-1, 2),
        "counters": np.array([_flat(counters) for counters in history.counters], np.int64),
    }
    if trained.before is not None:
        arrays["before"] = trained.before.outputs
    report = history.guard if history.memory is None else history.memory.report
    if report is not None:
        memory = history.memory or GuardMemory(report, 0, b"")
        arrays["guard"] = np.array([*_numbers(report), memory.waited], np.int64)
        arrays["snapshot"] = np.frombuffer(memory.snapshot, np.uint8)
    return arrays


def _flat(counters: Counters) -> list[int]:
    numbers = (counters.step, counters.weights_saturated, counters.updates_skipped)
    return [*numbers, *counters.exponents, *counters.gradients_saturated]


def _numbers(report: GuardReport) -> tuple[int, ...]:
    last, best = report.last, report.best
    return (report.evaluations, report.rollbacks, *vars(last).values(), *vars(best).values())


# ---- From a file ---------------------------------------------------------------------------------


def load_interrupted(path: Path, learned: Learned, job: Job, ready: Ready) -> Trained | None:
    """Returns the run of a learned.npz; None if it was not interrupted. learned: of the same file.

    Raises DataError if it is not a run of this job, or damaged.
    """

    def read(arrays: Mapping[str, Numbers]) -> Trained:
        _check_settings(path, arrays, job)
        return _Reader(arrays, learned, job, ready).trained()

    return read_record(path, _RUN, read)


def read_record(path: Path, mark: str, read: Callable[[Mapping[str, Numbers]], Run]) -> Run | None:
    """Returns what `read` makes of the arrays of a learned.npz; None if they have no array `mark`.
    Raises DataError if the file is damaged."""
    arrays = load_arrays(path, LARGEST, _FILE)
    if not isinstance(arrays, dict) or mark not in arrays:
        return None
    try:
        return read(arrays)
    except DataError:
        raise
    except Exception as error:  # a damaged file can provoke any of a dozen exceptions
        raise DataError(
            f"{path} is damaged: the record of its interrupted run has {error}; begin a new run "
            "from its weights with --new-run"
        ) from None


def _check_settings(path: Path, arrays: Mapping[str, Numbers], job: Job) -> None:
    """Raises DataError for the first setting that differs."""
    then, now = json.loads(arrays[_RUN].tobytes()), settings_of(job)
    for option, value in now.items():
        if then[option] != value:
            done = arrays["losses"].size
            readable = isinstance(value, int | float) or option == "--schedule"
            how = f"{then[option]!s:.20}, not {value}" if readable else "others than now"
            raise DataError(
                f"{path} has a run that was interrupted after {done:,} steps, with {option} {how}; "
                "pass what it was begun with, or begin a new run from its weights with --new-run"
            )


class _Reader:
    """Reads the arrays of an interrupted run. Every number is checked: a file may be damaged, and
    kernels and drawings rely on their ranges."""

    def __init__(
        self, arrays: Mapping[str, Numbers], learned: Learned, job: Job, ready: Ready
    ) -> None:
        self._arrays, self._learned, self._job = arrays, learned, job
        self._program, self._output = ready.compiled.program, ready.compiled.graph.output
        self._now = Counters.of(learned.state)
        self._done = arrays["losses"].size

    def trained(self) -> Trained:
        finished = bool(self._array("finished", "b", ()))
        _require(0 < self._done <= self._job.steps, f"{self._done} steps")
        _require(not finished or self._done == self._job.steps, f"only {self._done} steps")
        counters, (report, memory) = self._counters(), self._guard(finished)
        if not finished:
            steps = (self._now.step - counters[0].step) % 2**32
            _require(steps == self._done, f"{self._done} steps, its weights {steps}")
        history = History(self._steps(), counters, report, memory, finished)
        return Trained(self._before(), history, None, self._learned, self._course(), True)

    def _array(self, name: str, kinds: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        found = self._arrays.get(name)
        _require(found is not None, f"no {name}")
        assert found is not None
        _require(found.dtype.kind in kinds, f"{name} of type {found.dtype}")
        _require(found.shape == shape, f"{name} of shape {found.shape}")
        return found

    def _steps(self) -> tuple[Step, ...]:
        job = self._job
        course = job.recipe.course(job.steps)
        losses = self._array("losses", "f", (self._done,)).astype(np.float64)
        correct = self._array("correct", "i", (self._done,)).tolist()
        known = {_NO_LABEL: None} if job.objective else {0: False, 1: True}
        _require(bool(np.isfinite(losses).all()), "losses that are not numbers")
        _require(set(correct) <= set(known), "predictions that are neither right nor wrong")
        order = zip(job.recipe.order(len(job.train)), losses.tolist(), correct, strict=False)
        return tuple(
            Step(number, job.steps, index, rate_at(course, number), loss, known[right])
            for number, (index, loss, right) in enumerate(order)
        )

    def _counters(self) -> tuple[Counters, ...]:
        scales = len(self._now.exponents)
        readings = 1 + self._done // self._job.look_every
        rows = self._array("counters", "iu", (readings, 3 + 2 * scales)).tolist()
        least, most = [0, 0, 0, *[-128] * scales, *[0] * scales], 2**32 - 1
        for row in rows:
            _require(
                all(low <= value <= most for low, value in zip(least, row, strict=True)),
                "counters out of range",
            )
        return tuple(
            Counters(r[0], r[1], r[2], tuple(r[3 : 3 + scales]), tuple(r[3 + scales :]))
            for r in rows
        )

    def _course(self) -> tuple[tuple[int, float], ...]:
        """Returns the held-out scores; that of the last epoch may be missing."""
        job, done = self._job, self._done
        due = [0] if len(job.held_out) else []
        due += [step for step in range(1, done + 1) if job.evaluates_after(step)]
        course = self._arrays["course"]
        count = min(len(due), len(course))
        _require(count >= len(due) - (due[-1:] == [done]), f"{count} evaluations")
        rows = self._array("course", "f", (count, 2)).astype(np.float64).tolist()
        _require([step for step, _ in rows] == due[:count], "evaluations of other steps")
        _require(bool(np.isfinite(rows).all()), "scores that are not numbers")
        return tuple((int(step), score) for step, score in rows)

    def _before(self) -> Evaluation | None:
        count = len(self._job.held_out)
        if count == 0:
            return None
        shape = (count, self._program.output_bytes)
        outputs = self._array("before", "i", shape).astype(np.int8, casting="equiv")
        return evaluation(outputs, self._job.held_out, self._job.objective, self._output)

    def _guard(self, finished: bool) -> tuple[GuardReport | None, GuardMemory | None]:
        """Returns the report of a guard that has finished, or what one remembers that has not."""
        guard = self._job.guard
        if guard is None:
            return None, None
        numbers = self._array("guard", "i", (7,)).tolist()
        evaluations, rollbacks, *scores, waited = numbers
        last, best = Score(*scores[:2]), Score(*scores[2:])
        for score in (last, best):
            _require(0 <= score.correct <= len(guard.held_out), f"{score.correct} samples correct")
            _require(-(2**31) <= score.margin < 2**31, f"a margin of {score.margin}")
        for count in (evaluations, rollbacks, waited):
            _require(0 <= count < 2**32, f"a count of {count}")
        report = GuardReport(len(guard.held_out), evaluations, rollbacks, last, best)
        if finished:
            return report, None
        return None, GuardMemory(report, waited, self._snapshot())

    def _snapshot(self) -> bytes:
        learned = self._learned
        size = snapshot_bytes(len(learned.weights), len(learned.state))
        snapshot = self._array("snapshot", "u", (size,)).astype(np.uint8, casting="equiv").tobytes()
        wrong = impossible_snapshot(snapshot, self._program)
        _require(wrong is None, f"in its best weights, {wrong}")
        return snapshot


def _require(holds: bool, what: str) -> None:
    """Raises ValueError that names what is wrong, after "has"."""
    if not holds:
        raise ValueError(what)
