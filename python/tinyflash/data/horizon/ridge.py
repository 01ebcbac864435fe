"""Ridge regression from sums of products, for each modality, history and lead, with the strength
that foresees left-out subjects best.

Classes are regressed as 0 and 1. A class is told by linear discriminants with equal priors, which
these regressions are up to a scale: with p the share of class c and f its regression, g = (f - p) /
p, and d = g - (mean of g over samples of c) / 2; the class with the largest d. So a rare class is
foreseen, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt

from tinyflash.data.horizon.folds import Fold, Folds
from tinyflash.data.horizon.question import OWN
from tinyflash.data.horizon.series import Reals, Series
from tinyflash.data.horizon.sums import Sums, sums

# What is added to the sum of squares of each standardized feature: the variance of the noise in
# units of what weights are expected to have.
STRENGTHS = (1e-6, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
_UNCHOSEN = 4  # place of the strength if there is nothing to choose by
_STILL = 1e-9  # standard deviation of a feature, of a channel that has 1, that never changes

Features = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Linear:
    """Foresees with w [p, q] and b [q]."""

    w: Reals
    b: Reals

    def __call__(self, windows: Reals) -> Reals:
        """Takes windows [moments][steps][channels], the newest step first; returns [moments][q]."""
        found: Reals = windows.reshape(len(windows), -1) @ self.w + self.b
        return found


class Ridge:
    """Foresees targets at some leads. Keeps the sums of each unit, [p, p]."""

    def __init__(self, series: Series, folds: Folds, leads: Sequence[int]) -> None:
        self._series, self._folds, self._leads = series, folds, tuple(leads)
        self._sums: dict[bool, list[Sums]] = {}

    def fitted(self, modality: str, history: int) -> list[Linear]:
        """Returns for each fold what was learned from its training units."""
        features = self._features(modality, history)
        units = [unit.of(features) for unit in self._units(modality == OWN)]
        solved: dict[frozenset[int], _Solved] = {}  # two folds leave each other out: the same units
        return [self._fit(units, fold, solved) for fold in self._folds.folds]

    def _units(self, own: bool) -> list[Sums]:
        if own not in self._sums:
            self._sums[own] = [
                _total(
                    sums(self._series, one, one.own if own else one.x, self._leads) for one in unit
                )
                for unit in self._folds.units
            ]
        return self._sums[own]

    def _features(self, modality: str, history: int) -> Features:
        """Returns the places of a modality's features in the sums."""
        question = self._series.question
        if modality == OWN:
            return np.arange(history * self._series.stretches[0].own.shape[1])
        places = [question.channels.index(c) for c in question.modalities[modality]]
        steps = np.arange(history)[:, np.newaxis] * len(question.channels)
        features: Features = (steps + np.array(places)).ravel()
        return features

    def _fit(self, units: list[Sums], fold: Fold, solved: dict[frozenset[int], _Solved]) -> Linear:
        wrong = np.zeros((len(STRENGTHS), units[0].y.size))
        for out in fold.inner:
            left = frozenset(fold.train) - frozenset(out)
            one = solved.pop(left, None)
            if one is None:
                one = solved[left] = _Solved(_total(units[u] for u in left))
            judged = _total(units[u] for u in out)
            wrong += np.stack([_wrong(judged, one.linear(s)) for s in STRENGTHS])
        leads = wrong.reshape(len(STRENGTHS), len(self._leads), -1).sum(2)
        best = leads.argmin(0) if fold.inner else np.full(len(self._leads), _UNCHOSEN)
        whole = _Solved(_total(units[u] for u in fold.train))
        linear = whole.linear(np.array(STRENGTHS)[np.repeat(best, self._series.outputs)])
        kind = self._series.question.kind
        return linear if kind == "value" else _discriminant(linear, whole.sums)


class _Solved:
    """A regression on standardized features, for any strength."""

    def __init__(self, total: Sums) -> None:
        self.sums = total
        self.mean, self.y = total.x / total.n, total.y / total.n
        covariance = total.xx / total.n - np.outer(self.mean, self.mean)
        scale = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
        self.scale = np.where(scale > _STILL, scale, np.inf)  # such a feature says nothing
        values, self.vectors = np.linalg.eigh(covariance / np.outer(self.scale, self.scale))
        self.values = np.maximum(values, 0.0)[:, np.newaxis]
        cross = total.xy / total.n - np.outer(self.mean, self.y)
        self.turned = self.vectors.T @ (cross / self.scale[:, np.newaxis])

    def linear(self, strengths: Reals | float) -> Linear:
        """strengths: one, or one for each target [q]."""
        added = strengths / self.sums.n
        w = self.vectors @ (self.turned / (self.values + added)) / self.scale[:, np.newaxis]
        return Linear(w, self.y - self.mean @ w)


def _total(parts: Iterable[Sums]) -> Sums:
    return reduce(add, parts)


def _wrong(judged: Sums, linear: Linear) -> Reals:
    """Returns the sum of squared errors of each target on what these sums are of, [q]."""
    w, b = linear.w, linear.b
    squares = (w * (judged.xx @ w)).sum(0) + 2 * b * (judged.x @ w) + judged.n * b * b
    products = (w * judged.xy).sum(0) + b * judged.y
    error: Reals = judged.yy - 2 * products + squares
    return error


def _discriminant(linear: Linear, total: Sums) -> Linear:
    """Turns regressions of classes into discriminants d. A class that was never there is never
    told."""
    share = total.y / total.n
    known = np.where(share > 0, share, 1.0)
    w, b = linear.w / known, (linear.b - share) / known
    own = (w * total.xy).sum(0) / (known * total.n) + b  # mean of g over samples of the class
    return Linear(w, np.where(share > 0, b - own / 2, -np.inf))
