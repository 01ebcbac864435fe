"""The largest element along some axes, as max pools over maps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinyflash.graph import Window

Shape = tuple[int, ...]
_LARGEST = 255  # of a kernel and a stride (SPEC 10.3)


def maxima(shape: Shape, first: int, last: int) -> Iterator[tuple[Shape, Window, Shape]]:
    """Yields pools over the axes from `first` to `last`: each one's map (1, height, width,
    channels), its window, and the map that it makes.

    Height and width together are one pool, whose input can be computed row by row.
    """
    if len(shape) == 4 and (first, last) == (1, 2) and max(shape[1:3]) <= _LARGEST:
        yield shape, Window((shape[1], shape[2])), (1, 1, 1, shape[3])
        return
    count = math.prod(shape[first : last + 1])
    outer, inner = math.prod(shape[:first]), math.prod(shape[last + 1 :])
    while count > 1:
        side = max(n for n in range(1, _LARGEST + 1) if count % n == 0)
        side = side if side > 1 else min(count, _LARGEST)
        left = -(-count // side)
        padding = (0, 0, 0, left * side - count)
        window = Window((1, side), (1, side), (1, 1), padding)
        yield (1, outer, count, inner), window, (1, outer, left, inner)
        count = left
