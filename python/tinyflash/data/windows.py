"""Cuts recordings into windows of equal length, each with one label: the samples of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.data.dataset import DESCRIPTION, Dataset, Recording
from tinyflash.data.shards import NONE, Track, read, runs
from tinyflash.errors import DataError

_SHARE = 0.5  # of a window's frames, more than this must have its label


@dataclass(frozen=True)
class Windows:
    """x float32 [n, window, *frame] in real units, [n, *frame] of pictures; y int64 [n]; recording
    int64 [n], by its place in the list that was cut; first int64 [n], number of the first frame."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    recording: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]


def cut(
    dataset: Dataset,
    recordings: Iterable[Recording],
    window: int,
    hop: int,
    unlabelled: bool = False,
) -> Windows:
    """Cuts windows of `window` frames, `hop` frames from one start to the next.

    No window reaches across a gap. One whose frames mostly have no label, or no label that more
    than half of them have, is left out; unlabelled: it stays, with the label NONE. window 1 and hop
    1 give single frames, such as pictures.
    """
    if window < 1 or hop < 1:
        raise DataError(f"a window of {window} frames, every {hop}: both must be at least 1")
    found = [_of(dataset, read(dataset, one), window, hop, unlabelled) for one in recordings]
    counts = [len(labels) for _, labels, _ in found]
    shape = dataset.frames.shape if window == 1 else (window, *dataset.frames.shape)
    x = [frames.reshape(len(frames), *shape) for frames, _, _ in found]
    return Windows(
        np.concatenate([np.zeros((0, *shape), np.float32), *x]),
        np.concatenate([np.zeros(0, np.int64), *(labels for _, labels, _ in found)]),
        np.repeat(np.arange(len(found)), counts),
        np.concatenate([np.zeros(0, np.int64), *(first for _, _, first in found)]),
    )


def _of(
    dataset: Dataset, track: Track, window: int, hop: int, unlabelled: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    starts = np.concatenate(
        [np.zeros(0, np.int64)]
        + [np.arange(begin, end - window + 1, hop) for begin, end in runs(track.numbers)]
    )
    moments = starts[:, np.newaxis] + np.arange(window)
    labels = _majority(track.labels[moments], len(dataset.classes))
    kept = (labels != NONE) | unlabelled
    with np.errstate(over="ignore"):
        frames = dataset.frames.real(track.frames[moments[kept]]).astype(np.float32)
    if not np.isfinite(frames).all():
        raise DataError(
            f"{dataset.folder}: numbers are too large for a network; see scale in {DESCRIPTION}"
        )
    return frames, labels[kept], track.numbers[starts[kept]]


def _majority(labels: npt.NDArray[np.int32], classes: int) -> npt.NDArray[np.int64]:
    """Returns for each row [n, window] the label that more than half of it has, or NONE."""
    result = np.full(len(labels), NONE, np.int64)
    for label in range(classes):
        result[(labels == label).mean(1) > _SHARE] = label
    return result
