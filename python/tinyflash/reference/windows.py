"""The positions of a map that each tap of a sliding kernel meets, and those that a take reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyflash.graph import Steps, Window
from tinyflash.reference.arith import Ints, ints


@dataclass(frozen=True)
class Sliding:
    """A window between an input map of `x` (height, width) and an output map of `y`."""

    window: Window
    x: tuple[int, int]
    y: tuple[int, int]

    @property
    def _padded(self) -> tuple[int, int]:
        """Height and width of the map, padded as far as the last window reaches."""
        w = self.window
        reach = [
            (self.y[i] - 1) * w.stride[i] + (w.kernel[i] - 1) * w.dilation[i] + 1 for i in (0, 1)
        ]
        return max(reach[0], w.padding[0] + self.x[0]), max(reach[1], w.padding[1] + self.x[1])

    def _inside(self) -> tuple[slice, slice]:
        top, left = self.window.padding[:2]
        return slice(top, top + self.x[0]), slice(left, left + self.x[1])

    def pad(self, x: Ints, value: int = 0) -> Ints:
        """Returns a map [height][width][channels] padded with `value`."""
        padded = np.full((*self._padded, x.shape[2]), value, dtype=np.int64)
        padded[self._inside()] = x
        return padded

    def crop(self, padded: Ints) -> Ints:
        """Returns the map without the padding."""
        return padded[self._inside()]

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        """Yields (ky, kx, slices): padded[slices] is the element that the tap meets, per output
        position."""
        w = self.window
        for ky in range(w.kernel[0]):
            for kx in range(w.kernel[1]):
                rows = self._positions(0, ky)
                columns = self._positions(1, kx)
                yield ky, kx, (rows, columns)

    def _positions(self, axis: int, k: int) -> slice:
        stride = self.window.stride[axis]
        start = k * self.window.dilation[axis]
        return slice(start, start + (self.y[axis] - 1) * stride + 1, stride)

    def counts(self) -> Ints:
        """Returns how many positions of each window are inside the map, [height][width] of y."""
        inside = self.pad(np.ones((*self.x, 1), dtype=np.int64))
        return ints(sum(inside[slices][..., 0] for _, _, slices in self.taps()))


def places(steps: Steps, count: int) -> Ints:
    """SPEC 3.8: p(i) for each i < count."""
    return (steps.first + np.arange(count, dtype=np.int64) * steps.step) // steps.unit
