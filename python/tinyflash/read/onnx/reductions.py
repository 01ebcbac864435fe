"""Rules for reductions along axes: means, sums and the largest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyflash.graph import MeanAttrs
from tinyflash.read.maxima import maxima
from tinyflash.read.onnx.importing import Layer
from tinyflash.read.onnx.pointwise import affine
from tinyflash.read.onnx.views import View, dense


def global_average(layer: Layer) -> None:
    rank = len(layer.view(0).shape)
    layer.give(_mean(layer, tuple(range(2, rank)), keep=True))


def reduce_mean(layer: Layer) -> None:
    layer.give(_mean(layer, _reduced(layer), keep=layer.integer("keepdims", 1) == 1))


def reduce_max(layer: Layer) -> None:
    """The largest along some axes, by max pools."""
    axes, x = _reduced(layer), layer.view(0)
    held, order, lead, positions = _adjacent(layer, x, axes)
    shape = (1,) * lead + tuple(x.shape[i] for i in order)
    y = held.tensor
    for before, window, after in maxima(shape, positions[0], positions[-1]) if positions else ():
        y = layer.emit("max_pool", [layer.shaped(y, before)], after, window)
    layer.give(_without(x, axes, order, y, keep=layer.integer("keepdims", 1) == 1))


def reduce_sum(layer: Layer) -> None:
    """The mean times the number of elements."""
    axes = _reduced(layer)
    count = np.array(math.prod(layer.view(0).shape[a] for a in axes), np.float64)
    mean = _mean(layer, axes, keep=layer.integer("keepdims", 1) == 1)
    layer.give(affine(layer, mean, count, np.zeros(())))


def _reduced(layer: Layer) -> tuple[int, ...]:
    """Returns the axes that a reduction names, or all, counted from 0."""
    rank = len(layer.view(0).shape)
    axes = layer.integers(1, "axes")
    if not axes:
        layer.require(not layer.integer("noop_with_empty_axes", 0), "has no axes")
        return tuple(range(rank))
    return tuple(sorted({layer.axis(a, rank) for a in axes}))


def _mean(layer: Layer, axes: tuple[int, ...], *, keep: bool) -> View:
    """Returns the mean over some axes."""
    x = layer.view(0)
    held, order, _, positions = _adjacent(layer, x, axes)
    y = held.tensor
    if positions:
        kept = tuple(x.shape[i] for i in order if i not in axes and x.shape[i] > 1)
        span = tuple(range(positions[0], positions[-1] + 1))
        y = layer.emit("mean", [y], (1, *kept), MeanAttrs(span))
    return _without(x, axes, order, y, keep=keep)


def _adjacent(
    layer: Layer, x: View, axes: tuple[int, ...]
) -> tuple[View, Sequence[int], int, list[int]]:
    """Returns x in a tensor in which these axes are adjacent, the order of its axes there, the
    dimensions of 1 before them, and the positions of those axes that have several places."""
    real = [i for i in x.order if i in axes and x.shape[i] > 1]
    order = x.order
    if real:
        first, last = order.index(real[0]), order.index(real[-1])
        if any(i not in axes for i in order[first : last + 1]):
            order = (*(i for i in order if i not in real), *real)
    held, lead = layer.compacted(x, order)
    return held, order, lead, [order.index(i) + lead for i in real]


def _without(x: View, axes: tuple[int, ...], order: Sequence[int], y: str, *, keep: bool) -> View:
    """Returns the value that is left of x in y, with one place along these axes, or without."""
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    left = [i for i in order if i not in axes]
    result = dense(y, shape, (*(i for i in order if i in axes), *left))
    if keep:
        return result
    return View(y, tuple(axis for i, axis in enumerate(result.axes) if i not in axes))
