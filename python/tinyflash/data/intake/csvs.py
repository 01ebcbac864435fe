"""CSV: one file a recording. A header names the columns; one may be the time, one the label."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import Frames
from tinyflash.data.intake.recorded import LARGEST, Recorded, compact
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes

Floats = npt.NDArray[np.float64]

LABELS = ("label", "class", "activity", "target", "y")
TIMES = {"time": 1.0, "timestamp": 1.0, "seconds": 1.0, "t": 1.0, "time_s": 1.0, "time_ms": 1e-3}
TIMES |= {"timestamp_ms": 1e-3, "ms": 1e-3, "milliseconds": 1e-3, "time_us": 1e-6, "us": 1e-6}
_GAP = 1.5  # of a period: a longer one has missing frames


def read_csv(path: Path, rate: float | None = None, label_column: str | None = None) -> Recorded:
    """Reads a CSV file. rate: frames per second, if no column has the time; with a column of times,
    it is their median distance, and larger ones are gaps. Raises DataError with the line.

    Columns are separated by commas, semicolons or tabs. Those of labels and times are found by
    their names (LABELS, TIMES), all others are channels.
    """
    rows = _rows(path)
    header = [cell.strip() for cell in rows[0]]
    headed = not all(_is_number(cell) for cell in header)
    if not headed:
        header = [f"c{number}" for number in range(len(header))]
    body = [(line, row) for line, row in enumerate(rows, 1) if row and (line > 1 or not headed)]
    if not body:
        raise DataError(f"{path} has no row of numbers")
    labels = _column(path, header, label_column, LABELS)
    times = _column(path, header, None, tuple(TIMES))
    channels = [column for column in range(len(header)) if column not in (labels, times)]
    if not channels:
        raise DataError(f"{path} has no column of values beside those of time and label")
    values = _numbers(path, body, header, channels)
    numbers = np.arange(len(body), dtype=np.int64)
    if times is not None:
        at = _numbers(path, body, header, [times])[:, 0] * TIMES[header[times].lower()]
        found, numbers = _clock(path, at)
        rate = rate or found
    said = [row[labels].strip() for _, row in body] if labels is not None else [""] * len(body)
    frames = Frames((len(channels),), rate, tuple(header[column] for column in channels))
    return Recorded(path, frames, compact(values), numbers, said)


def _rows(path: Path) -> list[list[str]]:
    try:
        text = read_bytes(path, LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text; save it as CSV in UTF-8") from None
    lines = text.splitlines()
    if not lines or not lines[0].strip():
        raise DataError(f"{path} is empty")
    separator = max(",;\t", key=lines[0].count)
    try:
        return list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(
    path: Path, header: Sequence[str], wanted: str | None, names: Sequence[str]
) -> int | None:
    if wanted is not None:
        if wanted not in header:
            raise DataError(f"{path} has no column {wanted!r}; it has {', '.join(header)[:200]}")
        return header.index(wanted)
    return next((n for n, name in enumerate(header) if name.lower() in names), None)


def _numbers(
    path: Path, body: Sequence[tuple[int, list[str]]], header: Sequence[str], columns: Sequence[int]
) -> Floats:
    result = np.empty((len(body), len(columns)))
    for at, (line, row) in enumerate(body):
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(row)} columns instead of {len(header)}")
        for to, column in enumerate(columns):
            try:
                result[at, to] = float(row[column])
            except ValueError:
                raise DataError(
                    f"{path}, line {line}, column {header[column]}: {printable(row[column])!r} is "
                    "not a number"
                ) from None
    if not np.isfinite(result).all():
        line, to = np.argwhere(~np.isfinite(result))[0]
        raise DataError(f"{path}, line {body[line][0]}, column {header[columns[to]]}: no number")
    return result


def _clock(path: Path, at: Floats) -> tuple[float | None, npt.NDArray[np.int64]]:
    """Returns frames per second, and the number of each frame."""
    steps = np.diff(at)
    if not len(steps):
        return None, np.zeros(len(at), np.int64)
    if (steps <= 0).any():
        line = int(np.argmax(steps <= 0))
        raise DataError(f"{path}: the time does not rise from row {line + 1} to row {line + 2}")
    period = float(np.median(steps))
    jumps = np.where(steps > _GAP * period, np.rint(steps / period), 1).astype(np.int64)
    return float(f"{1 / period:.6g}"), np.concatenate([[0], np.cumsum(jumps)])
