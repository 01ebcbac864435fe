"""The table that a person reviews: suspicious spans, and which of them to correct."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyflash.data.check.findings import Span
from tinyflash.data.dataset import Correction, Dataset
from tinyflash.errors import DataError, printable
from tinyflash.files import read_bytes, write_bytes

_COLUMNS = ("accept", "recording", "first", "last", "given", "likely", "score")
_YES = ("y", "yes", "1", "x", "true")
_NO = ("", "n", "no", "0", "false")
_LARGEST = 64 << 20


def write_review(path: Path, spans: Sequence[Span]) -> None:
    """Writes a CSV file with a row for each span. In `accept`, a person writes yes; in `likely`,
    another class if it is another one."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for one in spans:
        row = (one.recording, one.first, one.last, one.given, one.likely, f"{one.score:.6f}")
        table.writerow(("", *row))
    write_bytes(path, text.getvalue().encode())


def corrected(dataset: Dataset, path: Path) -> tuple[Dataset, int]:
    """Returns the set with the accepted rows of a reviewed file as corrections, and their number.
    Those that it has already move behind the others. Raises DataError, with the line, if a row
    makes no sense; then nothing is corrected."""
    found = [
        _correction(dataset, path, line, row)
        for line, row in _rows(path)
        if _accepted(path, line, row["accept"])
    ]
    before = [one for one in dataset.corrections if one not in found]
    return replace(dataset, corrections=(*before, *dict.fromkeys(found))), len(found)


def _accepted(path: Path, line: int, said: str) -> bool:
    word = said.strip().lower()
    if word not in (*_YES, *_NO):
        raise DataError(f"{path}, line {line}: accept is {printable(said)!r}; write yes or no")
    return word in _YES


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = read_bytes(path, _LARGEST).decode("utf-8-sig")
        separator = max(",;\t", key=text.partition("\n")[0].count)  # as spreadsheets write it
        table = csv.DictReader(io.StringIO(text), delimiter=separator)
        rows = list(table)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV: {error}") from None
    if missing := [column for column in _COLUMNS[:-1] if column not in (table.fieldnames or ())]:
        raise DataError(f"{path} is no review.csv of data check: it has no column {missing[0]!r}")
    for line, row in enumerate(rows, 2):
        if any(row.get(column) is None for column in _COLUMNS[:-1]):
            raise DataError(f"{path}, line {line}: it lacks one of {', '.join(_COLUMNS[:-1])}")
    return list(enumerate(rows, 2))


def _correction(dataset: Dataset, path: Path, line: int, row: dict[str, str]) -> Correction:
    where = f"{path}, line {line}"
    try:
        first, last = int(row["first"]), int(row["last"])
    except ValueError:
        raise DataError(f"{where}: first and last are not numbers of frames") from None
    ends = {one.name: one.end for one in dataset.recordings}
    if not 0 <= first <= last < ends.get(row["recording"], 0):
        raise DataError(
            f"{where}: {dataset.folder} has no frames {first} to {last} of "
            f"{printable(row['recording'])!r}"
        )
    if row["likely"] not in dataset.classes:
        raise DataError(
            f"{where}: {printable(row['likely'])!r} is no class of {dataset.folder}; it has "
            f"{', '.join(dataset.classes)}"
        )
    return Correction(row["recording"], first, last, row["likely"])
