"""Sums of products over all moments of a stretch: all that linear prediction needs.

The features of a moment t are x[t - i], newest first, for i up to the longest history; those of a
shorter history are the first ones. Two of them, i and j, are multiplied in S[i, j] =
sum of x[t - i] x[t - j] over all t. The next on the diagonal, S[i + 1, j + 1], has the same terms
except the first and the last. So the first row is summed over all moments, and the others follow
from it: n p + p^2 products instead of n p^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflash.data.horizon.series import Reals, Series, Stretch


@dataclass(frozen=True)
class Sums:
    """Over n moments: of the features x [p], of their products xx [p, p], of the targets y [q] and
    their squares yy [q], of the products of both xy [p, q]. p: steps of history times channels; q:
    leads times outputs."""

    n: int
    x: Reals
    xx: Reals
    y: Reals
    yy: Reals
    xy: Reals

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.n + other.n,
            self.x + other.x,
            self.xx + other.xx,
            self.y + other.y,
            self.yy + other.yy,
            self.xy + other.xy,
        )

    def of(self, features: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Sums:
        """Returns the sums of some features."""
        xx = self.xx[np.ix_(features, features)]
        return Sums(self.n, self.x[features], xx, self.y, self.yy, self.xy[features])


def sums(series: Series, stretch: Stretch, x: Reals, leads: Sequence[int]) -> Sums:
    """Returns the sums of a stretch. x [steps][channels]: its inputs, or what the baseline
    reads."""
    there = series.moments(stretch)
    y = series.targets(stretch, leads).reshape(there.stop - there.start, -1)
    length, channels = series.question.histories[-1], x.shape[1]
    past = [x[there.start - i : there.stop - i] for i in range(length)]
    return Sums(
        len(y),
        np.concatenate([part.sum(0) for part in past]),
        _products(x, there, length).reshape(length * channels, length * channels),
        y.sum(0),
        (y * y).sum(0),
        np.concatenate([part.T @ y for part in past]),
    )


def _products(x: Reals, there: slice, length: int) -> Reals:
    """Returns S as [length, channels, length, channels]."""
    channels = x.shape[1]
    now = x[there]
    first = np.stack([now.T @ x[there.start - j : there.stop - j] for j in range(length)], 1)
    s = np.empty((length, channels, length, channels))
    s[0], s[:, :, 0] = first, first.transpose(1, 2, 0)
    # What comes in front of the first moment, and what ends with the last one, newest first.
    before = x[: there.start][::-1]
    last = x[there.stop - length : there.stop][::-1]
    for i in range(length - 1):
        come = before[i][:, np.newaxis, np.newaxis] * before[: length - 1]
        go = last[i][:, np.newaxis, np.newaxis] * last[: length - 1]
        s[i + 1, :, 1:] = s[i, :, : length - 1] + come - go
    return s
