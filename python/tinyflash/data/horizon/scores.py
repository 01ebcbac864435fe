"""Scores of what was foreseen, for each subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tinyflash.data.horizon.folds import Folds
from tinyflash.data.horizon.question import OWN
from tinyflash.data.horizon.series import Reals, Series, Stretch

Foreseer = Callable[[Reals], npt.NDArray[np.floating]]  # windows [n][steps][channels] -> [n][q]
_AT_ONCE = 4 << 20  # numbers of windows in memory


class Score:
    """Counts what one predictor foresees of the subjects: R2 of values, or the mean over classes of
    the share of each that is told."""

    def __init__(self, series: Series, leads: Sequence[int]) -> None:
        shape = (len(series.subjects), len(leads))
        self._series, self._leads = series, tuple(leads)
        self._values = np.zeros((4, *shape))  # n, sum y, sum y^2, sum of squared errors
        self._told = np.zeros((2, *shape, series.outputs))  # samples of a class, those told

    def add(self, stretch: Stretch, first: int, found: npt.NDArray[np.floating], y: Reals) -> None:
        """Takes what was foreseen, found [n][leads * outputs], of the moments from `first` on. y
        [moments][leads][outputs]: the truth of the whole stretch."""
        truth = y[first : first + len(found)]
        guess = found.reshape(truth.shape)
        one = stretch.subject
        if self._series.question.kind == "value":
            value, error = truth[..., 0], truth[..., 0] - guess[..., 0]
            parts = (np.ones_like(value), value, value * value, error * error)
            self._values[:, one] += np.stack([part.sum(0) for part in parts])
        else:
            right = guess.argmax(2) == truth.argmax(2)
            self._told[0, one] += truth.sum(0)
            self._told[1, one] += (truth * right[..., np.newaxis]).sum(0)

    def scores(self) -> Reals:
        """Returns [subjects][leads]; NaN where a subject's target never changes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._series.question.kind == "value":
                n, total, squares, errors = self._values
                spread = squares - total * total / n
                moved = spread > 1e-12 * np.maximum(squares, n)
                return np.where(moved, 1.0 - errors / spread, np.nan)
            there, told = self._told
            several = (there > 0).sum(2) > 1
            return np.where(several, np.nanmean(told / there, 2), np.nan)


def inputs(series: Series, stretch: Stretch, modality: str) -> Reals:
    """Returns what a predictor of this modality reads of a stretch, [steps][channels]."""
    if modality == OWN:
        return stretch.own
    question = series.question
    return stretch.x[:, [question.channels.index(c) for c in question.modalities[modality]]]


def windows(series: Series, stretch: Stretch, modality: str, history: int) -> Reals:
    """Returns the history at each moment, [moments][history][channels], the newest step first; a
    view."""
    there = series.moments(stretch)
    values = inputs(series, stretch, modality)[there.start - history + 1 : there.stop]
    view = np.lib.stride_tricks.sliding_window_view(values, history, axis=0)
    return view.transpose(0, 2, 1)[:, ::-1]


def batches(view: Reals) -> Iterator[tuple[int, Reals]]:
    """Cuts windows into parts that fit into memory; yields the first one's number, and the part."""
    size = max(1, _AT_ONCE // max(1, view[0].size))
    for first in range(0, len(view), size):
        yield first, np.ascontiguousarray(view[first : first + size])


def judged(
    series: Series,
    folds: Folds,
    leads: Sequence[int],
    modality: str,
    history: int,
    foreseers: Sequence[Foreseer],
) -> Reals:
    """Returns the scores of what foreseers, one for each fold, foresee of its test subjects,
    [subjects][leads]."""
    score = Score(series, leads)
    for fold, foresee in zip(folds.folds, foreseers, strict=True):
        for stretch in fold.test:
            y = series.targets(stretch, leads)
            for first, part in batches(windows(series, stretch, modality, history)):
                score.add(stretch, first, foresee(part), y)
    return score.scores()
