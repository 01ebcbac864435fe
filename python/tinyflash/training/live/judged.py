"""What is normal, in files: learned.npz, from which a run goes on, training.json, the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.errors import DataError
from tinyflash.runtime.learned import save_learned
from tinyflash.runtime.session import Int8Array, Labels
from tinyflash.show.report import add_training
from tinyflash.show.report.learning import Learning, learning_fields
from tinyflash.training.interrupted import read_record
from tinyflash.training.live.normal import PHASES, Course, Verdict, Watchman
from tinyflash.training.open import Ready

_RUN = "normal"  # the array of a run: its settings, as JSON
_WINDOW = 50  # scores in a mean of the curve
_MOST_SCORE = 2**32


@dataclass(frozen=True)
class Windows:
    """Windows of a set or a file in the order of time. labels: [n], below 0 where there is none;
    None: of none. They say nothing to the network: at the end, verdicts are told by label."""

    x: Int8Array
    labels: Labels | None = None
    classes: tuple[str, ...] = ()


def settings_of(course: Course, windows: Windows | None) -> dict[str, object]:
    """Returns what must be the same when a run goes on, by the option that sets it."""
    digest = "" if windows is None else hashlib.sha256(windows.x.tobytes()).hexdigest()
    return {
        "--normal": course.learn,
        "--hold": course.hold,
        "--rank": course.rank,
        "--rate": course.rate,
        "--data or --hop": digest,
    }


# ---- To files ------------------------------------------------------------------------------------


def keep(man: Watchman, windows: Windows | None, path: Path) -> None:
    """Writes learned.npz: weights, state, and the windows so far."""
    rows = [(PHASES.index(v.phase), v.score, bool(v.abnormal)) for v in man.seen]
    settings = json.dumps(settings_of(man.course, windows)).encode()
    arrays: dict[str, Numbers] = {
        _RUN: np.frombuffer(settings, np.uint8),
        "verdicts": np.array(rows, np.int64).reshape(-1, 3),
    }
    save_learned(path, man.learned, arrays)


def record_of(
    man: Watchman, windows: Windows | None, board: str, more: Mapping[str, object]
) -> dict[str, Any]:
    """Returns the record of a run for JSON."""
    judged = [one.abnormal for one in man.seen if one.abnormal is not None]
    return {
        "model": man.program.name,
        "hash": f"{man.program.hash:08x}",
        "board": board,
        **more,
        "live": True,
        **asdict(man.course),
        "done": len(man.seen),
        "threshold": man.threshold,
        "judged": len(judged),
        "abnormal": sum(judged),
        "by_label": by_label(man.seen, windows),
        "windows": [asdict(one) for one in man.seen],
    }


def by_label(seen: Sequence[Verdict], windows: Windows | None) -> dict[str, dict[str, int]] | None:
    """Returns how many windows of each label were judged, and abnormal; None without labels."""
    if windows is None or windows.labels is None:
        return None
    found: dict[str, dict[str, int]] = {}
    for one, label in zip(seen, windows.labels.tolist(), strict=False):
        if one.abnormal is not None:
            name = _name(label, windows.classes)
            counts = found.setdefault(name, {"judged": 0, "abnormal": 0})
            counts["judged"] += 1
            counts["abnormal"] += one.abnormal
    return found


def _name(label: int, classes: tuple[str, ...]) -> str:
    if label < 0:
        return "no label"
    return classes[label] if label < len(classes) else f"class {label}"


def write_report(man: Watchman, ready: Ready, board: str, directory: Path) -> None:
    """Adds the scores to the report of the folder."""
    sums = [0, *accumulate(one.score for one in man.seen)]
    means = [
        (sums[end] - sums[max(0, end - _WINDOW)]) / min(end, _WINDOW) for end in range(1, len(sums))
    ]
    run = Learning(board, "loss", _WINDOW, len(means), means, [], [], 0)
    add_training(ready.compiled, directory, ready.fit, learning_fields(run))


# ---- From a file ---------------------------------------------------------------------------------


def load(path: Path, course: Course, windows: Windows | None) -> list[Verdict]:
    """Returns the windows of a run in learned.npz; none if it has no such run. Raises DataError if
    it is another run, or damaged."""

    def read(arrays: Mapping[str, Numbers]) -> list[Verdict]:
        _check_settings(path, arrays, settings_of(course, windows))
        return _verdicts(arrays["verdicts"], course)

    return read_record(path, _RUN, read) or []


def _check_settings(path: Path, arrays: Mapping[str, Numbers], now: Mapping[str, object]) -> None:
    then = json.loads(arrays[_RUN].tobytes())
    for option, value in now.items():
        if then[option] != value:
            how = "others than now" if isinstance(value, str) else f"{then[option]!s:.20}"
            raise DataError(
                f"{path} has a run that learned what is normal, with {option} {how}; pass what it "
                "was begun with, or begin a new run from its weights with --new-run"
            )


def _verdicts(rows: Numbers, course: Course) -> list[Verdict]:
    """Raises ValueError that names what is wrong, after "has"."""
    if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind != "i":
        raise ValueError("other verdicts")
    found = []
    for number, (phase, score, abnormal) in enumerate(rows.tolist()):
        if not 0 <= score < _MOST_SCORE or abnormal not in (0, 1):
            raise ValueError("verdicts out of range")
        if phase != (number >= course.learn) + (number >= course.windows):
            raise ValueError("windows in another order")
        found.append(Verdict(PHASES[phase], score, bool(abnormal) if phase == 2 else None))
    return found
