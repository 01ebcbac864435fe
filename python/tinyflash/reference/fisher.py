"""SPEC 15: the Fisher information of the channels of a map."""

from __future__ import annotations

import numpy as np

from tinyflash.reference.arith import Ints

UNIT_START, UNIT_LAST = 96, 1024
LIMIT = 2**31


def add_sample(d: Ints, y: Ints, y_zero: int, dy: Ints, exponent: int) -> Ints:
    """SPEC 15.1, 15.2: y and dy are [positions][channels]. Returns the new d, [1 + channels]."""
    sums = (dy * (y - y_zero)).sum(axis=0)
    k, found = min(int(d[0]), UNIT_LAST), [int(number) for number in d[1:]]
    for c, s in enumerate(sums):
        while found[c] + (more := _in_unit(int(s) ** 2, 2 * exponent + UNIT_START - k)) >= LIMIT:
            found = [number // 2 for number in found]
            k += 1
        found[c] += more
    return np.array([k, *found], dtype=np.int64)


def _in_unit(square: int, power: int) -> int:
    """Returns floor(square * 2^power)."""
    return square << power if power >= 0 else square >> -power
