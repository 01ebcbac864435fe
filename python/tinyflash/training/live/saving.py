"""Live learning in files: learned.npz, from which it goes on, training.json, and the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers, load_arrays
from tinyflash.errors import DataError
from tinyflash.files import write_json
from tinyflash.program import Program
from tinyflash.runtime.guard import GuardMemory, GuardReport, Score, snapshot_bytes
from tinyflash.runtime.learned import LARGEST, Learned, impossible_snapshot, save_learned
from tinyflash.runtime.replay import Kept, replay_bytes
from tinyflash.runtime.session import Counters
from tinyflash.show.report import add_training
from tinyflash.show.report.learning import Learning, learning_fields
from tinyflash.training.front_end import RECORD
from tinyflash.training.health import Anatomy, as_record
from tinyflash.training.interrupted import read_record
from tinyflash.training.job import learned_is_in
from tinyflash.training.live.course import SLIDING, Course, Seen
from tinyflash.training.live.learner import Ending, Settings
from tinyflash.training.live.replaying import Lived, Stream, learned_of
from tinyflash.training.open import Ready

_RUN = "live"  # the array that marks an interrupted run: its settings, as JSON
_MEMORY = "replay"  # the memory of the buffer
_FILE = "a whole file of learned weights"
_DIGEST = "--data, --hop or --test"
_NOTHING: Mapping[str, Numbers] = {}


def settings_of(stream: Stream) -> dict[str, object]:
    """Returns what must be the same when a run goes on, by the option that sets it."""
    settings, digest = stream.settings, hashlib.sha256()
    none: tuple[Numbers, ...] = ()
    held = none if stream.held_out is None else (stream.held_out.x, stream.held_out.y)
    for array in (stream.windows.x, stream.windows.y, stream.test.x, stream.test.y, *held):
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return {
        "--rate": settings.rate,
        "--replay": settings.slots,
        "--repeats": settings.repeats,
        "--surprising": settings.surprising,
        "--skip-surprising": settings.skips,
        "--guard": 0 if stream.held_out is None else len(stream.held_out),
        "--guard-every": settings.guard_every,
        "--guard-tolerance": settings.guard_tolerance,
        _DIGEST: digest.hexdigest(),
    }


# ---- To files ------------------------------------------------------------------------------------


def save(
    lived: Lived,
    settings: Settings,
    ready: Ready,
    directory: Path,
    more: Mapping[str, object],
    stream: Stream | None = None,
) -> dict[str, object]:
    """Writes learned.npz, training.json and the report; returns the record. stream: of an
    interrupted replay, which can go on."""
    path = directory / "learned.npz"
    more_arrays = {} if stream is None or lived.finished else _arrays(lived, stream)
    keep(lived.ending, ready.compiled.program, path, more_arrays)
    found = record(lived, settings, ready, more)
    with learned_is_in(path):
        write_json(directory / RECORD, found)
        if lived.course.seen:
            _write_report(lived, ready, directory)
    return found


def keep(
    ending: Ending, program: Program, path: Path, more: Mapping[str, Numbers] = _NOTHING
) -> None:
    """Writes learned.npz: weights, state and the buffer, and more arrays."""
    arrays = dict(more)
    if ending.memory is not None:
        arrays[_MEMORY] = np.frombuffer(ending.memory, np.uint8)
    save_learned(path, learned_of(ending, program), arrays)


def record(
    lived: Lived, settings: Settings, ready: Ready, more: Mapping[str, object]
) -> dict[str, object]:
    """Returns the record of a run for JSON. Accuracies are in percent."""
    course, program = lived.course, ready.compiled.program
    counters = lived.counters[-1] if lived.counters else None
    return {
        "model": program.name,
        "hash": f"{program.hash:08x}",
        "board": "host" if ready.fit is None else ready.fit.board.name,
        **more,
        "live": True,
        "rate": settings.rate,
        "done": len(course.seen),
        "finished": lived.finished,
        "learned": course.learned,
        "surprising": course.surprising,
        "surprising_below": settings.surprising,
        "prequential_accuracy": course.accuracy(),
        "sliding_windows": SLIDING,
        "sliding_accuracy": course.accuracy(SLIDING),
        "accuracy_before": lived.before,
        "accuracy_after": lived.after,
        "drifts": list(course.drifts),
        "drift_detector": "DDM (Gama et al. 2004)",
        "replay": _replay(lived.ending, settings, program),
        "guard": None if lived.guard is None else asdict(lived.guard),
        "weights_saturated": None if counters is None else counters.weights_saturated,
        "health": as_record(lived.counters, Anatomy.of(ready.compiled)),
        "windows": [
            {
                "label": one.label,
                "predicted": one.predicted,
                "loss": float(f"{one.loss:.6g}"),
                "surprising": one.surprising,
                "learned": one.learned,
                "accuracy": float(f"{accuracy:.6g}"),
                "sliding": float(f"{sliding:.6g}"),
                "drift": level,
            }
            for one, accuracy, sliding, level in zip(
                course.seen, course.overall(), course.sliding(), course.levels(), strict=True
            )
        ],
    }


def _replay(ending: Ending, settings: Settings, program: Program) -> dict[str, object] | None:
    if ending.memory is None:
        return None
    kept = Kept.of(ending.memory, program.classes, settings.slots)
    return {
        "slots": settings.slots,
        "repeats": settings.repeats,
        "bytes": len(ending.memory),
        **asdict(kept),
    }


def _write_report(lived: Lived, ready: Ready, directory: Path) -> None:
    course = lived.course
    scores = ((0, lived.before), (len(course.seen), lived.after))
    run = Learning(
        board="host" if ready.fit is None else ready.fit.board.name,
        measure="accuracy",
        window=SLIDING,
        epoch=len(course.seen),
        losses=course.means(),
        accuracies=course.sliding(),
        held_out=[(done, score) for done, score in scores if score is not None],
        held_out_samples=lived.tested,
    )
    add_training(ready.compiled, directory, ready.fit, learning_fields(run))


def _arrays(lived: Lived, stream: Stream) -> dict[str, Numbers]:
    seen = lived.course.seen
    rows = [(s.label, s.predicted, s.surprising, s.learned) for s in seen]
    arrays: dict[str, Numbers] = {
        _RUN: np.frombuffer(json.dumps(settings_of(stream)).encode(), np.uint8),
        "windows": np.array(rows, np.int64).reshape(-1, 4),
        "losses": np.array([one.loss for one in seen], np.float64),
        "counters": np.array([_flat(one) for one in lived.counters], np.int64),
        "before": np.array(np.nan if lived.before is None else lived.before, np.float64),
    }
    guard = lived.ending.guard
    if guard is not None:
        report = guard.report
        scores = (*vars(report.last).values(), *vars(report.best).values())
        arrays["guard"] = np.array(
            [report.samples, report.evaluations, report.rollbacks, *scores, guard.waited], np.int64
        )
        arrays["snapshot"] = np.frombuffer(guard.snapshot, np.uint8)
    return arrays


def _flat(one: Counters) -> list[int]:
    numbers = (one.step, one.weights_saturated, one.updates_skipped)
    return [*numbers, *one.exponents, *one.gradients_saturated]


# ---- From a file ---------------------------------------------------------------------------------


def load_memory(path: Path, program: Program, slots: int) -> bytes | None:
    """Returns the memory of the replay buffer in a learned.npz; None if it has none. Raises
    DataError if it has another number of slots than the run."""
    arrays = load_arrays(path, LARGEST, _FILE)
    if not slots or not isinstance(arrays, dict) or _MEMORY not in arrays:
        return None
    memory = arrays[_MEMORY].tobytes()
    if len(memory) != replay_bytes(program.classes, slots, program.input_bytes):
        raise DataError(
            f"{path} has a replay buffer of {len(memory):,} bytes, and --replay {slots} makes "
            f"another; pass the same --replay as that run, or none"
        )
    return memory


def load_interrupted(
    path: Path, learned: Learned, stream: Stream, program: Program
) -> Lived | None:
    """Returns the run of a learned.npz; None if it was not interrupted. learned: of the same file.
    Raises DataError if it is not a run of this stream, or damaged."""

    def read(arrays: Mapping[str, Numbers]) -> Lived:
        _check_settings(path, arrays, stream)
        return _lived(path, arrays, learned, stream, program)

    return read_record(path, _RUN, read)


def _check_settings(path: Path, arrays: Mapping[str, Numbers], stream: Stream) -> None:
    then, now = json.loads(arrays[_RUN].tobytes()), settings_of(stream)
    for option, value in now.items():
        if then[option] != value:
            how = "others than now" if option == _DIGEST else f"{then[option]!s:.20}, not {value}"
            raise DataError(
                f"{path} has a live run that was interrupted, with {option} {how}; pass what it "
                "was begun with, or begin a new run from its weights with --new-run"
            )


def _lived(
    path: Path, arrays: Mapping[str, Numbers], learned: Learned, stream: Stream, program: Program
) -> Lived:
    rows, losses = _array(arrays, "windows", "i", 2), _array(arrays, "losses", "f", 1)
    classes = program.classes
    _require(rows.shape == (len(losses), 4) and len(rows) <= len(stream.windows), "other windows")
    _require(bool(np.isfinite(losses).all()), "losses that are not numbers")
    _require(bool(((rows >= 0) & (rows < [classes, classes, 2, 2])).all()), "numbers out of range")
    _require((rows[:, 0] == stream.windows.labels[: len(rows)]).all(), "other labels")
    seen = tuple(
        Seen(int(a), int(b), float(loss), bool(c), bool(d))
        for (a, b, c, d), loss in zip(rows.tolist(), losses.tolist(), strict=True)
    )
    now = Counters.of(learned.state)
    scales = len(now.exponents)
    readings = _array(arrays, "counters", "i", 2)
    _require(readings.shape[1] == 3 + 2 * scales, "counters of another model")
    _require(bool((abs(readings) < 2**32).all()), "counters out of range")
    counters = tuple(
        Counters(r[0], r[1], r[2], tuple(r[3 : 3 + scales]), tuple(r[3 + scales :]))
        for r in readings.tolist()
    )
    before = float(_array(arrays, "before", "f", 0))
    guard = None if stream.held_out is None else _guard(arrays, learned, program)
    memory = load_memory(path, program, stream.settings.slots)
    _require((memory is not None) == (stream.settings.slots > 0), "no replay buffer")
    ending = Ending(learned.weights, learned.state, memory, guard)
    return Lived(Course(seen), counters, ending, None if np.isnan(before) else before)


def _guard(arrays: Mapping[str, Numbers], learned: Learned, program: Program) -> GuardMemory:
    numbers = _array(arrays, "guard", "i", 1).tolist()
    _require(len(numbers) == 8 and all(-(2**31) <= n < 2**32 for n in numbers), "another guard")
    samples, evaluations, rollbacks, *scores, waited = numbers
    last, best = Score(*scores[:2]), Score(*scores[2:])
    for score in (last, best):
        _require(0 <= score.correct <= samples, f"{score.correct} samples correct")
        _require(-(2**31) <= score.margin < 2**31, f"a margin of {score.margin}")
    snapshot = _array(arrays, "snapshot", "u", 1).astype(np.uint8, casting="equiv").tobytes()
    size = snapshot_bytes(len(learned.weights), len(learned.state))
    _require(len(snapshot) == size, "a snapshot of another size")
    wrong = impossible_snapshot(snapshot, program)
    _require(wrong is None, f"in its best weights, {wrong}")
    report = GuardReport(samples, evaluations, rollbacks, last, best)
    return GuardMemory(report, waited, snapshot)


def _array(arrays: Mapping[str, Numbers], name: str, kind: str, sides: int) -> npt.NDArray[Any]:
    found = arrays.get(name)
    _require(found is not None, f"no {name}")
    assert found is not None
    _require(found.dtype.kind == kind and found.ndim == sides, f"another {name}")
    return found


def _require(holds: object, what: str) -> None:
    """Raises ValueError that names what is wrong, after "has"."""
    if not holds:
        raise ValueError(what)
