"""What a set holds, in numbers: for tables, pictures and --json."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import Dataset
from tinyflash.data.shards import read


@dataclass(frozen=True)
class RecordingSummary:
    """frames: by label, unlabelled ones last, [classes + 1]."""

    name: str
    subject: str
    session: str
    part: str
    count: int
    missing: int
    gaps: int
    frames: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Summary:
    """low, high, mean: of each channel in real units [channels]; NaN without frames."""

    recordings: tuple[RecordingSummary, ...]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]

    @property
    def frames(self) -> npt.NDArray[np.int64]:
        """Frames of each label in the whole set, unlabelled ones last."""
        total: npt.NDArray[np.int64] = sum(
            (one.frames for one in self.recordings), np.zeros(1, np.int64)
        )
        return total


def summarize(dataset: Dataset) -> Summary:
    """Reads every recording."""
    channels = dataset.frames.shape[-1]
    low, high = np.full(channels, np.nan), np.full(channels, np.nan)
    total, count = np.zeros(channels), 0
    part = {name: p for p, names in dataset.splits.items() for name in names}
    found = []
    for one in dataset.recordings:
        track = read(dataset, one)
        values = track.frames.reshape(-1, channels).astype(np.float64)
        if len(values):
            low, high = np.fmin(low, values.min(0)), np.fmax(high, values.max(0))
            total, count = total + values.sum(0), count + len(values)
        labels = np.bincount(track.labels + 1, minlength=len(dataset.classes) + 1)
        gaps = int((np.diff(track.numbers, prepend=-1) != 1).sum())
        place = part.get(one.name, "")
        by_label = np.roll(labels, -1)
        found.append(
            RecordingSummary(
                one.name, one.subject, one.session, place, one.count, one.missing, gaps, by_label
            )
        )
    real = dataset.frames.real
    mean = total / count if count else np.full(channels, np.nan)
    return Summary(tuple(found), real(low), real(high), real(mean))
