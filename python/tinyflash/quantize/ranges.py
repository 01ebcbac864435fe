"""Finds the range of each tensor's numbers on samples, by one of three rules.

min_max includes all numbers. percentile excludes the farthest one in 10,000 at each end. mse
chooses the range with the smallest squared error of rounding and clamping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph.graph import Bounds, FloatGraph, Floats
from tinyflash.quantize.floatgraph.run import batches, run

Rule = Literal["min_max", "percentile", "mse"]
RULES: tuple[Rule, ...] = ("min_max", "percentile", "mse")

_BINS = 4096
_LEFT_OUT = 1e-4  # of all numbers, at each end
_SHARES = np.geomspace(0.05, 1.0, 80)  # of the whole range that mse tries
_LARGEST = 1e30
_LEAST_RANGE = 1e-4  # of a tensor that is zero on all samples


@dataclass(frozen=True)
class Histogram:
    """The number of values in each of _BINS equal parts of [low, high]."""

    low: float
    high: float
    counts: npt.NDArray[np.int64]

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        width = (self.high - self.low) / len(self.counts)
        return np.asarray(self.low + (np.arange(len(self.counts)) + 0.5) * width, np.float64)


def observe(graph: FloatGraph, samples: Floats, rule: Rule) -> dict[str, Bounds]:
    """Returns the range of every tensor, including 0.

    Input and output use the full range: inputs are exact, and the largest output decides.
    """
    whole = _extremes(graph, samples)
    if rule == "min_max":
        return whole
    choose: Callable[[Histogram], Bounds] = _percentile if rule == "percentile" else _least_error
    found = {name: choose(h) for name, h in _histograms(graph, samples, whole).items()}
    return {**found, **{name: whole[name] for name in (graph.source.name, graph.output)}}


def _extremes(graph: FloatGraph, samples: Floats) -> dict[str, Bounds]:
    ranges: dict[str, Bounds] = {}
    for part in batches(graph, samples):
        for name, values in run(graph, part).items():
            low, high = ranges.get(name, (0.0, 0.0))
            lowest, highest = np.minimum(low, values.min()), np.maximum(high, values.max())
            ranges[name] = (float(lowest), float(highest))
    for name, bounds in ranges.items():
        if not np.abs(bounds).max() < _LARGEST:  # also false for NaN
            raise ModelError(
                f"{graph.name}: {name} computes numbers beyond {_LARGEST:.0e} of these samples; "
                "check weights and samples"
            )
    return {name: _opened(bounds) for name, bounds in ranges.items()}


def _opened(bounds: Bounds) -> Bounds:
    low, high = bounds
    return bounds if high - low >= _LEAST_RANGE else (low, low + _LEAST_RANGE)


def _histograms(
    graph: FloatGraph, samples: Floats, ranges: Mapping[str, Bounds]
) -> dict[str, Histogram]:
    counts = {name: np.zeros(_BINS, np.int64) for name in ranges}
    for part in batches(graph, samples):
        for name, values in run(graph, part).items():
            counts[name] += np.histogram(values, _BINS, ranges[name])[0]
    return {name: Histogram(*ranges[name], counts[name]) for name in ranges}


def _percentile(h: Histogram) -> Bounds:
    """Returns the range of the numbers without the excluded ones."""
    share = np.cumsum(h.counts) / max(int(h.counts.sum()), 1)
    width = (h.high - h.low) / _BINS
    first = int(np.searchsorted(share, _LEFT_OUT, side="right"))
    last = int(np.searchsorted(share, 1 - _LEFT_OUT, side="left"))
    low, high = h.low + first * width, h.low + (last + 1) * width
    return _opened((min(low, 0.0), max(high, 0.0)))


def _least_error(h: Histogram) -> Bounds:
    """Returns the range of least squared error: optimizes one end after the other, twice."""
    low, high = h.low, h.high
    for _ in range(2):
        if h.high > 0:
            high = min(h.high * _SHARES, key=lambda end: _error(h, (low, float(end))))
        if h.low < 0:
            low = min(h.low * _SHARES, key=lambda end: _error(h, (float(end), high)))
    return _opened((float(low), float(high)))


def _error(h: Histogram, bounds: Bounds) -> float:
    """Returns the squared error of all numbers, stored in 8 bits between the bounds."""
    scale = max(bounds[1] - bounds[0], 1e-30) / 255
    zero = round(-bounds[0] / scale)
    stored = np.clip(np.rint(h.centres / scale) + zero, 0, 255)
    return float(np.dot(h.counts, (scale * (stored - zero) - h.centres) ** 2))
