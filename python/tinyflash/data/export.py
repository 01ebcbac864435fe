"""Writes a set for others: windows as .npz, recordings as CSV with times and labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyflash.data.dataset import UNLABELLED, Dataset, Recording
from tinyflash.data.shards import Track, read
from tinyflash.data.windows import Windows
from tinyflash.errors import DataError
from tinyflash.files import write_atomically, write_bytes


def write_windows(path: Path, dataset: Dataset, windows: Windows, names: list[str]) -> None:
    """Writes x, y, the names of the classes, and of each window its recording and first frame, to
    an .npz file. names: of the recordings that were cut."""
    write_atomically(
        path,
        lambda file: np.savez_compressed(
            file,
            x=windows.x,
            y=windows.y,
            classes=np.array(dataset.classes, np.str_),
            recording=np.array(names, np.str_)[windows.recording],
            first=windows.first,
        ),
    )


def write_csvs(folder: Path, dataset: Dataset, recordings: Sequence[Recording]) -> list[Path]:
    """Writes each of these recordings as NAME.csv, which `data import` reads back: values as
    stored, the time in seconds, the label. Raises DataError for pictures."""
    if len(dataset.frames.shape) != 1:
        raise DataError(f"{dataset.folder} holds pictures, not signals; export windows to an .npz")
    return [_write(folder, dataset, one, read(dataset, one)) for one in recordings]


def _write(folder: Path, dataset: Dataset, recording: Recording, track: Track) -> Path:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    rate, channels = dataset.frames.rate, dataset.frames.channels or _numbered(dataset)
    table.writerow([*(["time"] if rate else []), *channels, "label"])
    names = (*dataset.classes, UNLABELLED)  # -1 is the last
    for values, number, label in zip(track.frames, track.numbers, track.labels, strict=True):
        time = [repr(float(number) / rate)] if rate else []
        table.writerow([*time, *(repr(value.item()) for value in values), names[label]])
    path = folder / f"{recording.name}.csv"
    write_bytes(path, text.getvalue().encode())
    return path


def _numbered(dataset: Dataset) -> list[str]:
    return [f"c{number}" for number in range(dataset.frames.shape[0])]
