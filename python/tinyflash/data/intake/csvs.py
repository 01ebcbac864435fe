"""CSV: one file a recording. A header names the columns; one may be the time, one the label.

Spreadsheets write decimal commas between semicolons, loggers the time of day, and both leave empty
columns behind: all of that is read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import LAST, Frames
from tinyflash.data.intake.recorded import LARGEST, Recorded, compact
from tinyflash.data.numbers import MOST
from tinyflash.errors import DataError, printable, warn
from tinyflash.files import read_bytes

Floats = npt.NDArray[np.float64]

LABELS = ("label", "class", "activity", "target", "y")
TIMES = {"time": 1.0, "timestamp": 1.0, "seconds": 1.0, "t": 1.0, "time_s": 1.0, "time_ms": 1e-3}
TIMES |= {
    "ts": 1.0,
    "datetime": 1.0,
    "timestamp_ms": 1e-3,
    "ms": 1e-3,
    "milliseconds": 1e-3,
    "time_us": 1e-6,
    "us": 1e-6,
}
_DAY = 86400.0
_GAP = 1.5  # of a period: a longer one has missing frames
_OTHER = 0.1  # of the rate that times say: a rate that differs more is probably a mistake
_AXES = ("x", "z")  # beside them, y is an axis, not a label
_EPOCHS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))  # since 1970 in ns, us, ms; 1e11 s: year 5138


def read_csv(
    path: Path,
    rate: float | None = None,
    label_column: str | None = None,
    columns: Sequence[str] = (),
) -> Recorded:
    """Reads a CSV file. Raises DataError with the line.

    rate: frames per second; None: the inverse of the median distance of the times, if a column has
    them. Larger distances are gaps. columns: the names of the channels; none: all that are not
    empty. Columns are separated by commas, semicolons or tabs. Those of labels and times are found
    by their names (LABELS, TIMES).
    """
    rows = _rows(path)
    header = [cell.strip() for cell in rows[0]]
    headed = not all(_is_number(cell) for cell in header)
    if not headed:
        header = [f"c{number}" for number in range(len(header))]
    body = [(line, row) for line, row in enumerate(rows, 1) if row and (line > 1 or not headed)]
    if not body:
        raise DataError(f"{path} has no row of numbers")
    for line, row in body:
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(row)} columns instead of {len(header)}")
    labels = _label_column(path, header, label_column, body)
    times = _column(path, header, None, tuple(TIMES))
    channels = [_named(path, header, name) for name in columns]
    if not columns:
        others = [column for column in range(len(header)) if column not in (labels, times)]
        channels = [column for column in others if any(row[column].strip() for _, row in body)]
        if len(channels) > 1 and _counts_rows(header[channels[0]], channels[0], body):
            warn(f"{path}: its first column counts the rows, and is left out; name it to keep it")
            del channels[0]
    if not channels:
        raise DataError(f"{path} has no column of values beside those of time and label")
    _check_names(path, header, [*channels, *(c for c in (times, labels) if c is not None)])
    values = _numbers(path, body, header, channels)
    numbers = np.arange(len(body), dtype=np.int64)
    if times is not None:
        found, numbers = _clock(path, _moments(path, body, header, times))
        if rate and found and abs(rate - found) > _OTHER * found:
            warn(f"{path}: its times say {found:g} frames per second, not {rate:g} as --rate")
        rate = rate or found
    said = [row[labels].strip() for _, row in body] if labels is not None else [""] * len(body)
    frames = Frames((len(channels),), rate, tuple(header[column] for column in channels))
    return Recorded(path, frames, compact(values), numbers, said)


def _counts_rows(name: str, column: int, body: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether a column is the index that a table library writes before the others: a network would
    learn from it how far a recording is."""
    if name and not name.lower().startswith("unnamed"):
        return False
    cells = [row[column] for _, row in body]
    if len(cells) < 2 or not all(_is_number(cell) for cell in cells):
        return False
    return bool((np.diff([_number(cell) for cell in cells]) == 1).all())


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
        return list(csv.reader(io.StringIO(text, newline=None), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from None


def _number(text: str) -> float:
    """Reads a number, with a decimal comma, too. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        return float(text.replace(",", ".", 1))


def _moments(
    path: Path, body: Sequence[tuple[int, list[str]]], header: Sequence[str], column: int
) -> Floats:
    """Returns the time of each row in seconds: numbers in the unit that the column's name says, or
    times of day or dates with times, as ISO 8601 writes them."""
    first = body[0][1][column].strip()
    if _is_number(first):
        moments = _numbers(path, body, header, [column])[:, 0]
        since: Floats = moments - moments[0]
        return since * _unit(header[column].lower(), float(moments[0]))
    at = np.empty(len(body))
    for number, (line, row) in enumerate(body):
        try:
            at[number] = _seconds(row[column].strip())
        except ValueError:
            raise DataError(
                f"{path}, line {line}, column {header[column]}: {printable(row[column])!r} is no "
                "time; write seconds, 17:10:41.03 or 2026-01-31T17:10:41.03"
            ) from None
    turns = np.cumsum(np.diff(at, prepend=at[0]) < -_DAY / 2)  # of the day, at midnight
    return at + _DAY * turns


def _unit(name: str, first: float) -> float:
    """Returns the seconds of one unit of a time. A name without a unit may count from 1970: then
    its size says the unit."""
    said = TIMES[name]
    return said if said != 1 else next((unit for least, unit in _EPOCHS if first >= least), said)


def _seconds(text: str) -> float:
    if "-" in text or "/" in text:
        return datetime.fromisoformat(text.replace("/", "-")).timestamp()
    time = datetime.fromisoformat(f"1970-01-01T{text}").time()
    return time.hour * 3600.0 + time.minute * 60.0 + time.second + time.microsecond / 1e6


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _label_column(
    path: Path, header: Sequence[str], wanted: str | None, body: Sequence[tuple[int, list[str]]]
) -> int | None:
    """Returns the column of labels. One that is only called so, and is an axis or holds fractions,
    is a channel."""
    axes = any(name.lower() in _AXES for name in header)
    names = [name for name in LABELS if not (axes and name == "y")]
    found = _column(path, header, wanted, names)
    if wanted is None and found is not None and _has_fractions([row[found] for _, row in body]):
        return None
    return found


def _has_fractions(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers, and one is not whole."""
    if not all(_is_number(cell) for cell in cells):
        return False
    return not all(_number(cell).is_integer() for cell in cells)


def _column(
    path: Path, header: Sequence[str], wanted: str | None, names: Sequence[str]
) -> int | None:
    if wanted is not None:
        return _named(path, header, wanted)
    return next((n for n, name in enumerate(header) if name.lower() in names), None)


def _named(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        raise DataError(f"{path} has no column {name!r}; it has {', '.join(header)[:200]}")
    return header.index(name)


def _check_names(path: Path, header: Sequence[str], used: Sequence[int]) -> None:
    """Raises DataError if the name of a column that is used stands for another one, too."""
    filled = [name for at, name in enumerate(header) if name or at in used]
    for column in used:
        name = header[column]
        if filled.count(name) > 1:
            called = f"called {printable(name)!r}" if name else "without a name"
            raise DataError(
                f"{path} has {filled.count(name)} columns {called}; give each a name of its own, "
                "or choose others with --columns"
            )


def _numbers(
    path: Path, body: Sequence[tuple[int, list[str]]], header: Sequence[str], columns: Sequence[int]
) -> Floats:
    result = np.empty((len(body), len(columns)))
    for at, (line, row) in enumerate(body):
        for to, column in enumerate(columns):
            try:
                result[at, to] = _number(row[column])
            except ValueError:
                raise DataError(
                    f"{path}, line {line}, column {printable(header[column])}: "
                    f"{printable(row[column])!r} is not a number; choose others with --columns"
                ) from None
    if not np.isfinite(result).all():
        line, to = np.argwhere(~np.isfinite(result))[0]
        raise DataError(f"{path}, line {body[line][0]}, column {header[columns[to]]}: no number")
    if (large := np.argwhere(np.abs(result) > MOST)).size:
        line, to = large[0]
        raise DataError(
            f"{path}, line {body[line][0]}, column {header[columns[to]]}: "
            f"{result[line, to]:.3g} is beyond {MOST:.3g}, which no network reads"
        )
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
    apart = np.where(steps > _GAP * period, np.rint(steps / period), 1.0)
    if not apart.sum() < LAST:
        line = int(np.argmax(apart)) + 2
        raise DataError(f"{path}: row {line} is too far in time from the row before; correct it")
    jumps = apart.astype(np.int64)
    return float(f"{1 / period:.6g}"), np.concatenate([[0], np.cumsum(jumps)])
