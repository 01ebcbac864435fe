"""Shapes that every kernel meets: 1, odd sizes, strides, asymmetric padding, dilation."""

from __future__ import annotations

from tests.support.graphs import Layer, same

from tinyflash.graph import Window

DEAD = Layer(dead=2, spread=100.0)
WINDOWS = {
    "1x1 on 1x1": ((1, 1, 5), Window((1, 1))),
    "3x3 same, odd map": ((5, 7, 3), same((5, 7), 3)),
    "3x3 stride 2, asymmetric padding": ((6, 8, 4), Window((3, 3), (2, 2), (1, 1), (0, 0, 1, 1))),
    "3x3 stride 2, padding at the top": ((7, 5, 2), Window((3, 3), (2, 2), (1, 1), (2, 1, 0, 1))),
    "2x2 stride 2, last row unread": ((5, 7, 3), Window((2, 2), (2, 2))),
    "5x5 same": ((4, 5, 3), same((4, 5), 5)),
    "4x3 stride 3x1": ((9, 5, 2), Window((4, 3), (3, 1), (1, 1), (2, 1, 1, 0))),
    "1x5": ((1, 11, 3), same((1, 11), (1, 5))),
    "3x3 dilation 2": ((9, 7, 2), Window((3, 3), (1, 1), (2, 2), (2, 2, 2, 2))),
    "3x3 dilation 3x1, stride 2": ((8, 9, 2), Window((3, 3), (2, 2), (3, 1), (1, 0, 3, 2))),
    "kernel as large as the map": ((4, 3, 6), Window((4, 3))),
    "windows in the padding alone": ((3, 4, 5), Window((2, 2), (2, 2), (1, 1), (3, 2, 3, 3))),
}
LAYERS_UNDER_TEST = {
    "plain": Layer(),
    "spread 100": Layer(spread=100.0),
    "dead channels": DEAD,
    "one scale, no bias": Layer(per_tensor=True, bias=False),
    "every unit of a sum shows": Layer(bias=False, gain=1e5),
}
POOLS = {
    "global": ((5, 7, 3), Window((5, 7))),
    "2x2 stride 2": ((6, 7, 4), Window((2, 2), (2, 2))),
    "3x3 same, overlapping": ((5, 6, 3), same((5, 6), 3)),
    "3x2 stride 2, asymmetric": ((7, 5, 2), Window((3, 2), (2, 2), (1, 1), (0, 0, 1, 1))),
    "7 terms": ((7, 1, 2), Window((7, 1))),
    "25 terms": ((25, 1, 2), Window((25, 1))),
}
# A window over all of a map is read once, however large it is: SPEC 4.1, 4.6.
LARGE_POOLS = {
    "one position": ((1, 1, 2), Window((1, 1))),
    "one position, padded": ((1, 1, 2), same((1, 1), 3)),
    "global, 80x80": ((80, 80, 2), Window((80, 80))),
    "global, 200x200": ((200, 200, 1), Window((200, 200))),
    "rows of 255": ((255, 3, 2), Window((255, 1))),
    "16x16, all offsets": ((31, 31, 1), Window((16, 16))),
    "2 offsets of 100": ((101, 100, 1), Window((100, 100))),
}
EXTREME_WINDOWS = {
    "one position": ((1, 1, 3), Window((1, 1))),
    "one position, 5x5 same": ((1, 1, 3), same((1, 1), 5)),
    "kernel as large as a map of 40x40": ((40, 40, 2), Window((40, 40))),
    "kernel larger than the map": ((3, 2, 2), Window((5, 4), (1, 1), (1, 1), (1, 1, 1, 1))),
    "200x200": ((200, 200, 1), Window((3, 3), (2, 2), (1, 1), (0, 0, 1, 1))),
    "dilation and stride 4": ((17, 17, 2), Window((3, 3), (4, 4), (4, 4), (4, 4, 4, 4))),
}
MAX_POOLS = {
    **POOLS,
    "3x3 stride 2, asymmetric, overlapping": (
        (6, 8, 3),
        Window((3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
    ),
    "3x3 stride 2, padding at the top": ((7, 6, 2), Window((3, 3), (2, 2), (1, 1), (2, 1, 0, 1))),
    "2x3 stride 3x1, rows unread": ((8, 5, 3), Window((2, 3), (3, 1))),
}
