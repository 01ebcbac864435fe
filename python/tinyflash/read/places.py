"""Slices and maps in another size as takes (SPEC 3.8): which places of x are those of y.

A take walks each axis in even steps. Here are the steps for a list of places, and the takes for
tensors of any number of dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Steps, TakeAttrs

Shape = tuple[int, ...]
Places = Sequence[int]

_MOST_UNEVEN = 4096  # places of an axis whose steps are searched for


@dataclass(frozen=True)
class Pass:
    """One take: the shapes of x and y as maps (height, width, channels)."""

    x: Shape
    attrs: TakeAttrs
    y: Shape


def takes(shape: Shape, taken: Sequence[Places]) -> list[Pass]:
    """Returns the takes that leave these places along each axis. None: nothing is left out.

    Raises ValueError, with words for a user, if no take can do it.
    """
    axes = [
        _Axis(size, steps_of(places), len(places))
        for size, places in zip(shape, taken, strict=True)
    ]
    while len(axes) > 3 and axes[0] == _Axis(1, Steps(), 1):
        axes = axes[1:]
    if len(axes) > 3:
        axes = _merged(axes)
    if all(axis.whole for axis in axes):
        return []
    if len(axes) <= 3:
        return [_pass([_Axis(1, Steps(), 1)] * (3 - len(axes)) + axes)]
    return list(_one_by_one(axes))


@dataclass(frozen=True)
class _Axis:
    size: int
    steps: Steps
    count: int

    @property
    def whole(self) -> bool:
        return self.steps == Steps() and self.count == self.size


def _merged(axes: list[_Axis]) -> list[_Axis]:
    """Joins neighbours of which nothing is left out."""
    found: list[_Axis] = []
    for whole, group in groupby(axes, key=lambda axis: axis.whole):
        alike = list(group)
        found += [_joined(alike)] if whole else alike
    return found


def _joined(axes: list[_Axis]) -> _Axis:
    size = math.prod(axis.size for axis in axes)
    return _Axis(size, Steps(), size)


def _pass(axes: list[_Axis]) -> Pass:
    x, y = tuple(a.size for a in axes), tuple(a.count for a in axes)
    return Pass(x, TakeAttrs(*(a.steps for a in axes)), y)


def _one_by_one(axes: list[_Axis]) -> list[Pass]:
    """A take for each axis, between what is outside and what is inside of it."""
    found, shape = [], [axis.size for axis in axes]
    for i, axis in enumerate(axes):
        if not axis.whole:
            outer, inner = math.prod(shape[:i]), math.prod(shape[i + 1 :])
            sides = (_Axis(outer, Steps(), outer), axis, _Axis(inner, Steps(), inner))
            found.append(_pass(list(sides)))
            shape[i] = axis.count
    return found


# ---- Steps --------------------------------------------------------------------------------------


def steps_of(places: Places) -> Steps:
    """Returns the steps of a list of places; always the same ones for the same list."""
    at = np.asarray(places, np.int64)
    if not len(at):
        raise ValueError("leaves nothing")
    ahead = np.diff(at)
    if (ahead < 0).any():
        raise ValueError("steps backwards, which is not supported; build the network without it")
    if not ahead.any():
        return Steps(int(at[0])) if len(at) == 1 else Steps(int(at[0]) * len(at), 1, len(at))
    if (ahead == ahead[0]).all():
        return Steps(int(at[0]), int(ahead[0]))
    found = _uneven(at)
    if found is None:
        raise ValueError("takes rows or columns at distances that no even step makes")
    return found


def _uneven(at: npt.NDArray[np.int64]) -> Steps | None:
    """Returns the steps of places that are a line rounded down: each pair of places bounds its
    slope, and the simplest fraction between all bounds is taken."""
    if len(at) > _MOST_UNEVEN:
        raise ValueError(
            f"takes {len(at):,} places unevenly; at most {_MOST_UNEVEN:,} are supported"
        )
    low, high = Fraction(0), Fraction(int(at[-1]) + 1)
    for apart in range(1, len(at)):
        ahead = at[apart:] - at[:-apart]
        low = max(low, Fraction(int(ahead.max()) - 1, apart))
        high = min(high, Fraction(int(ahead.min()) + 1, apart))
    if low >= high:
        return None
    slope = _simplest(low, high)
    steps = slope.numerator * np.arange(len(at), dtype=np.int64)
    first = int((at * slope.denominator - steps).max())
    found = Steps(first, slope.numerator, slope.denominator)
    return found if np.array_equal((first + steps) // slope.denominator, at) else None


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Returns the fraction between both, not at an end, of the smallest denominator."""
    whole = math.floor(low)
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, math.floor(1 / (high - whole)) + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))


# ---- Nearest neighbours -------------------------------------------------------------------------


def nearest(size: int, count: int, *, align_corners: bool, half_pixels: bool) -> list[int]:
    """Returns the places that TensorFlow Lite's RESIZE_NEAREST_NEIGHBOR takes, in its float32."""
    one = np.float32
    if align_corners and count > 1:
        scale = one(size - 1) / one(count - 1)
    else:
        scale = one(size) / one(count)
    at = (np.arange(count, dtype=np.float32) + one(0.5 if half_pixels else 0)) * scale
    at = np.floor(at.astype(np.float64) + 0.5) if align_corners else np.floor(at)
    return [max(0, min(int(place), size - 1)) for place in at]
