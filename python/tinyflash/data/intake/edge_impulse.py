"""Edge Impulse's exported files: JSON or CBOR of its data acquisition format, one recording each.

Their label is in info.labels beside or above them, as the export writes it, or it is what their
name has before its first dot. An export holds sound, pictures and tables, too, which `listed` is
for. Imports cbor2, an extra, only for CBOR.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tinyflash.data.dataset import Frames
from tinyflash.data.intake.recorded import LARGEST, Recorded, compact
from tinyflash.data.numbers import MOST
from tinyflash.data.splits import TEST, TRAIN
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes
from tinyflash.paths import how_to_install

SUFFIXES = (".json", ".cbor")
LABELS = "info.labels"
_PARTS = {"training": TRAIN, "testing": TEST}
_MOST_UP = 3  # folders above a file that may hold its labels


def read_edge_impulse(path: Path) -> Recorded:
    """Reads one exported file. Raises DataError if it is not one."""
    try:
        payload = _content(path)["payload"]
        interval = payload["interval_ms"]
        names = [str(sensor["name"]) for sensor in payload["sensors"]]
        units = tuple(str(sensor.get("units", "")) for sensor in payload["sensors"])
        values = np.array(_numeric(payload["values"]), np.float64)
    except (KeyError, TypeError, AttributeError):
        raise DataError(
            f"{path} is not an Edge Impulse export: it lacks payload.interval_ms, sensors or values"
        ) from None
    except (ValueError, OverflowError):
        raise DataError(f"{path}: its values are not rows of numbers of one length") from None
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] != len(names) or not len(values):
        raise DataError(f"{path} has values of shape {values.shape} for {len(names)} sensors")
    if not np.isfinite(values).all():
        raise DataError(f"{path} has values that are no numbers")
    if (np.abs(values) > MOST).any():
        raise DataError(f"{path} has values beyond {MOST:.3g}, which no network reads")
    label, part = _label(path)
    rate = _rate(path, interval)
    frames = Frames((len(names),), rate, tuple(names), units)
    numbers = np.arange(len(values), dtype=np.int64)
    return Recorded(path, frames, compact(values), numbers, [label] * len(values), part)


def _numeric(values: Any) -> Any:
    """Returns rows of numbers. Raises ValueError for what is none, such as true and "1", which
    would count as 1."""
    for row in values:
        for value in row if isinstance(row, list | tuple) else (row,):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(value)
    return values


def _rate(path: Path, interval: object) -> float | None:
    if not isinstance(interval, int | float) or isinstance(interval, bool) or not interval >= 0:
        raise DataError(f"{path}: interval_ms {printable(str(interval))!r} is not a time")
    return float(f"{1000 / interval:.6g}") if interval else None


def _content(path: Path) -> Any:
    try:
        data = read_bytes(path, LARGEST)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    if path.suffix.lower() == ".cbor":
        return _cbor(path, data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None


def _cbor(path: Path, data: bytes) -> Any:
    try:
        import cbor2
    except ImportError:
        raise DataError(f"{path} needs cbor2; run: {how_to_install('cbor2')}") from None
    try:
        return cbor2.loads(data)
    except Exception as error:  # any, of damaged files
        raise DataError(f"{path} is not CBOR: {printable(str(error))}") from None


def _label(path: Path) -> tuple[str, str]:
    return listed(path) or (path.name.split(".")[0], _PARTS.get(path.parent.name, ""))


def listed(path: Path) -> tuple[str, str] | None:
    """Returns the label of a file of an export, of any kind, and the part of the split that the
    export names; None if no info.labels beside or above lists it. Raises DataError if that is
    damaged."""
    for folder in list(path.parents)[:_MOST_UP]:
        labels = folder / LABELS
        if labels.is_file():
            state = labels.stat()
            entries = _entries(labels, state.st_mtime_ns, state.st_size)
            found = entries.get(path.resolve()) or entries.get(Path(path.name))
            if found is not None:
                return found
    return None


@lru_cache(maxsize=8)
def _entries(labels: Path, _changed: int, _size: int) -> dict[Path, tuple[str, str]]:
    """Reads an info.labels once for all files of an export, and again if it was changed. Files
    that were moved are found by their names, if no other has the same."""
    try:
        entries = json.loads(read_bytes(labels, LARGEST))["files"]
        names = Counter(Path(entry["path"]).name for entry in entries)
        moved = (entry for entry in entries if names[Path(entry["path"]).name] == 1)
        return {
            **{Path(Path(entry["path"]).name): _entry(entry) for entry in moved},
            **{(labels.parent / entry["path"]).resolve(): _entry(entry) for entry in entries},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{labels} is not a list of labels, as Edge Impulse exports it") from None


def _entry(entry: dict[str, Any]) -> tuple[str, str]:
    label = entry.get("label", {})
    text = label.get("label", "") if isinstance(label, dict) else label
    if not isinstance(text, str | None):
        raise TypeError(text)
    return text or "", _PARTS.get(str(entry.get("category", "")), "")
