"""What a network has learned from: samples as the sensor gives them, or features of a front end.

A data set says its front end in dataset.toml, a board's sensor with its frames. A run writes it
into its record, training.json; a network that goes on with another front end would learn nonsense
without a word, so it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tinyflash.data.dataset import is_dataset, load
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes

RECORD = "training.json"  # of a run, in its folder
KEY = "front_end"
_LARGEST = 256 << 20  # bytes


def learned_from(folder: Path, model: str | None = None) -> str | None:
    """Returns the front end that the run in a folder has learned from; None: it is not known.
    model: the hash of the model that it must be of."""
    try:
        record = json.loads(read_bytes(folder / RECORD, _LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or model not in (None, record.get("hash")):
        return None
    found = record.get(KEY)
    return found if isinstance(found, str) else None


def front_end_of(
    sources: Iterable[Path | None], resume: Path | None = None, model: str | None = None
) -> str | None:
    """Returns the one front end of data sets, and of what a run goes on from; None: it is not
    known, as of .npz files. Raises DataError if two differ."""
    learned = None if resume is None else learned_from(resume.parent, model)
    whose, found = f"what {resume} has learned from", learned
    for path in sources:
        if path is None or not is_dataset(path):
            continue
        other = load(path).frames.front_end
        check_same(found, whose, other, str(path))
        whose, found = str(path), other
    return found


def check_same(expected: str | None, whose: str, found: str, what: str) -> None:
    """Raises DataError if a front end is known, and is another one."""
    if expected is not None and found != expected:
        raise DataError(
            f"{what} has the front end {_text(found)}, {whose} {_text(expected)}; a "
            "network reads one of them only: use what was made with --features "
            f"{_text(expected)}"
        )


def _text(front_end: str) -> str:
    """Returns a front end for a message: whole, since their last settings may differ."""
    return printable(front_end[:60]) + printable(front_end[60:120])
