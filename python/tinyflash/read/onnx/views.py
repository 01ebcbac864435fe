"""The layout of a model's value in its tensor.

ONNX models put channels first, networks here put them last. So a value is a view of a tensor: each
axis steps through the tensor with strides. Transposing or reshaping a value gives another view of
the same tensor, and moves nothing until an operator needs that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]
MOST_AXES = 4  # that one transpose moves


@dataclass(frozen=True)
class Part:
    """`size` places, `stride` elements apart."""

    size: int
    stride: int


Axis = tuple[Part, ...]  # the outermost first; no parts: one place


@dataclass(frozen=True)
class View:
    """A value of the model: its axes as strided walks through `tensor`, which together cover all of
    it."""

    tensor: str
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> Shape:
        return tuple(math.prod(p.size for p in axis) for axis in self.axes)

    @property
    def parts(self) -> Axis:
        """All parts in the order of the value, with neighbours joined if they are one walk."""
        return _joined([p for axis in self.axes for p in axis])

    @property
    def is_dense(self) -> bool:
        """Whether the tensor has the elements in the order of the value."""
        return all(p.stride == 1 for p in self.parts) and len(self.parts) <= 1

    @property
    def order(self) -> tuple[int, ...]:
        """The axes by ascending stride, those with one place first."""
        strides = [min((p.stride for p in axis), default=math.inf) for axis in self.axes]
        return tuple(sorted(range(len(strides)), key=lambda i: -strides[i]))

    def transposed(self, order: Sequence[int]) -> View:
        return View(self.tensor, tuple(self.axes[i] for i in order))

    def reshaped(self, shape: Shape) -> View | None:
        """Returns the same elements with other axes; None if an axis would need uneven steps."""
        left, axes = list(self.parts), []
        for size in reversed(shape):
            axis: list[Part] = []
            while size > 1:
                part = left.pop()
                taken = math.gcd(size, part.size)
                if taken not in (size, part.size):
                    return None
                if taken < part.size:
                    left.append(Part(part.size // taken, part.stride * taken))
                axis.insert(0, Part(taken, part.stride))
                size //= taken
            axes.append(tuple(axis))
        return View(self.tensor, tuple(reversed(axes)))

    def places(self, axis: int) -> npt.NDArray[np.int64]:
        """Returns the tensor offset of the element at each place of an axis."""
        offsets = np.zeros(1, np.int64)
        for part in self.axes[axis]:
            steps = np.arange(part.size, dtype=np.int64) * part.stride
            offsets = (offsets[:, np.newaxis] + steps).ravel()
        return offsets


def _joined(parts: list[Part]) -> Axis:
    found: list[Part] = []
    for part in parts:
        if found and found[-1].stride == part.stride * part.size:
            found[-1] = Part(found[-1].size * part.size, part.stride)
        elif part.size > 1:
            found.append(part)
    return tuple(found)


def dense(tensor: str, shape: Shape, order: Sequence[int] | None = None) -> View:
    """Returns a value stored row by row, with its axes in `order`, outermost first."""
    axes: list[Axis] = [()] * len(shape)
    stride = 1
    for axis in reversed(range(len(shape)) if order is None else order):
        axes[axis] = (Part(shape[axis], stride),) if shape[axis] > 1 else ()
        stride *= shape[axis]
    return View(tensor, tuple(axes))


def channels_last(tensor: str, shape: Shape) -> View:
    """Returns a value (batch, channels, ...) stored channels last."""
    return dense(tensor, shape, (0, *range(2, len(shape)), 1))


@dataclass(frozen=True)
class Move:
    """A transposition from one tensor to another: splits it into `sizes`, and puts these axes in
    `order`."""

    sizes: Shape
    order: tuple[int, ...]


def move(source: View, target: View) -> Move | None:
    """Returns the move from `source`'s tensor to `target`'s; None if both split an axis
    unevenly."""
    steps: list[tuple[int, int, int]] = []
    for a, b in zip(source.axes, target.axes, strict=True):
        found = _common(list(a), list(b))
        if found is None:
            return None
        steps += found
    steps.sort(key=lambda step: -step[1])
    ranks = sorted(range(len(steps)), key=lambda i: -steps[i][2])
    return _simplified([step[0] for step in steps], ranks)


def in_steps(whole: Move) -> list[Move]:
    """Returns moves of at most four axes each that do the same one after another. Each moves blocks
    of axes, such that as few as possible are left to move."""
    found = []
    while len(whole.order) > MOST_AXES:
        step, whole = min(_first_steps(whole), key=lambda pair: len(pair[1].order))
        found.append(step)
    return [*found, whole]


def _first_steps(whole: Move) -> Iterator[tuple[Move, Move]]:
    """Each move of four blocks of axes, and the rest of the way."""
    axes = range(len(whole.order))
    for cuts in combinations(axes[1:], MOST_AXES - 1):
        blocks = [axes[a:b] for a, b in pairwise((0, *cuts, len(axes)))]
        sizes = tuple(math.prod(whole.sizes[i] for i in block) for block in blocks)
        for order in permutations(range(MOST_AXES)):
            now = [i for block in order for i in blocks[block]]
            left = _simplified([whole.sizes[i] for i in now], [now.index(i) for i in whole.order])
            yield Move(sizes, order), left


def _common(a: list[Part], b: list[Part]) -> list[tuple[int, int, int]] | None:
    """Splits both walks into the same sizes: (size, stride in a, stride in b)."""
    steps = []
    while a:
        p, q = a.pop(), b.pop()
        size = math.gcd(p.size, q.size)
        if size not in (p.size, q.size):
            return None
        steps.append((size, p.stride, q.stride))
        if size < p.size:
            a.append(Part(p.size // size, p.stride * size))
        if size < q.size:
            b.append(Part(q.size // size, q.stride * size))
    return steps


def _simplified(sizes: list[int], order: list[int]) -> Move:
    """Returns the same move, with axes joined that stay adjacent."""
    runs: list[list[int]] = []
    for axis in order:
        if runs and axis == runs[-1][-1] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    by_source = sorted(runs)
    joined = tuple(math.prod(sizes[i] for i in run) for run in by_source)
    return Move(joined, tuple(by_source.index(run) for run in runs))
