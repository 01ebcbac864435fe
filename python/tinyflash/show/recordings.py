"""Draws the recordings of a set: each signal over time, its labels as colours, its gaps empty.

Imports matplotlib only when it draws: that import is slower than all others.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyflash.data.dataset import Dataset, Recording
from tinyflash.data.shards import NONE, Track, read, runs
from tinyflash.files import write_atomically
from tinyflash.show.plots import INK, SOFT, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12  # recordings, or rows of pictures
_POINTS = 4000  # of a line
_ACROSS = 12  # pictures in a row
COLOURS = ("#2a6f97", "#d1603d", "#588157", "#8e6c8a", "#c9a227", "#4a4e69", "#b56576", "#3d9a9a")


def draw_recordings(path: Path, dataset: Dataset) -> None:
    """Draws the first recordings of each kind to a PNG file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    signals = len(dataset.frames.shape) == 1
    with mpl.rc_context(STYLE):
        if signals:
            shown = dataset.recordings[:_MOST]
            figure = Figure(figsize=(10, 1.2 + 1.5 * len(shown)), layout="constrained")
            axes = figure.subplots(max(len(shown), 1), 1, squeeze=False)[:, 0]
            for axis, recording in zip(axes, shown, strict=False):
                _draw_signal(axis, dataset, recording)
            axes[-1].set_xlabel("seconds" if dataset.frames.rate else "frames")
        else:
            rows = list(dataset.classes[:_MOST])
            figure = Figure(figsize=(10, 0.5 + 0.9 * max(len(rows), 1)), layout="constrained")
            axes = figure.subplots(max(len(rows), 1), _ACROSS, squeeze=False)
            for axis in axes.flat:
                axis.set_axis_off()
            _draw_pictures(axes, dataset, rows)
        write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=110))


def _draw_signal(axis: Axes, dataset: Dataset, recording: Recording) -> None:
    track = read(dataset, recording)
    rate = dataset.frames.rate or 1.0
    step = max(1, len(track.frames) // _POINTS)
    for begin, end in runs(track.numbers):
        part = slice(begin, end, step)
        values = dataset.frames.real(track.frames[part])
        axis.plot(track.numbers[part] / rate, values, color=INK, linewidth=0.5, alpha=0.6)
    _draw_labels(axis, dataset, track, rate)
    about = ", ".join(filter(None, (recording.subject, recording.session)))
    axis.set_title(f"{recording.name} {about}".strip(), loc="left", fontsize=9, color=SOFT)


def _draw_labels(axis: Axes, dataset: Dataset, track: Track, rate: float) -> None:
    edges = np.flatnonzero((np.diff(track.labels) != 0) | (np.diff(track.numbers) != 1)) + 1
    if not len(track.labels):
        return
    for begin, end in pairwise([0, *edges.tolist(), len(track.labels)]):
        label = int(track.labels[begin])
        if label == NONE:
            continue
        colour = COLOURS[label % len(COLOURS)]
        left, right = track.numbers[begin] / rate, (track.numbers[end - 1] + 1) / rate
        axis.axvspan(left, right, color=colour, alpha=0.18, linewidth=0)
        if end - begin > 0.06 * len(track.labels):
            name = dataset.classes[label]
            axis.text(
                left,
                1.0,
                f" {name}",
                transform=axis.get_xaxis_transform(),
                va="top",
                fontsize=8,
                color=colour,
            )


def _draw_pictures(
    axes: np.ndarray[tuple[int, int], np.dtype[np.object_]], dataset: Dataset, rows: list[str]
) -> None:
    taken = dict.fromkeys(range(len(rows)), 0)
    for recording in dataset.recordings:
        track = read(dataset, recording)
        label = int(track.labels[0]) if len(track.labels) else NONE
        if taken.get(label, _ACROSS) >= _ACROSS:
            continue
        axis = axes[label, taken[label]]
        values = track.frames[0]
        axis.imshow(values.squeeze(-1) if values.shape[-1] == 1 else values, cmap="gray")
        if taken[label] == 0:
            axis.set_title(rows[label], loc="left", fontsize=9, color=SOFT)
        taken[label] += 1
        if min(taken.values()) >= _ACROSS:
            return
