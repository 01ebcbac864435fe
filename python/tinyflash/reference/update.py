"""SPEC 6: updates of weights and biases in place, with stochastic rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.program import Factor
from tinyflash.reference.arith import Ints, ints, matmul, scale
from tinyflash.reference.constants import Factors
from tinyflash.reference.windows import Sliding

_MASK32 = 2**32 - 1
_DELTA_MAX = 0x7FFF0000
WEIGHT_LIMIT = 127


@dataclass(frozen=True)
class Draw:
    """What the random bits of one tensor in one training step depend on (SPEC 6.3)."""

    seed: int
    step: int
    tensor: int  # id in the source model

    def bits(self, rows: int, count: int) -> Ints:
        """16 random bits for each of `count` elements of `rows` rows."""
        k = np.array([self._key(row) for row in range(rows)], dtype=np.uint64)
        drawn = np.empty((rows, count), dtype=np.int64)
        for j in range(count):
            k = (k * np.uint64(1664525) + np.uint64(1013904223)) & np.uint64(_MASK32)
            drawn[:, j] = k >> np.uint64(16)
        return drawn

    def _key(self, row: int) -> int:
        return mix(mix(mix(mix(self.seed) ^ self.step) ^ self.tensor) ^ row)


def mix(h: int) -> int:
    """SPEC 6.3, on 32 bits."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & _MASK32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & _MASK32
    return h ^ h >> 16


# ---- Sums: 6.1 -----------------------------------------------------------------------


def conv2d_sum(x: Ints, dy: Ints, sliding: Sliding, groups: int = 1) -> Ints:
    """The sums [out][kernel_h][kernel_w][kept] from x [height][width][kept * groups] minus its zero
    point and dy [height][width][out].
    """
    parts = zip(np.split(x, groups, axis=2), np.split(dy, groups, axis=2), strict=True)
    return np.concatenate([_group_sum(*part, sliding) for part in parts])


def _group_sum(x: Ints, dy: Ints, sliding: Sliding) -> Ints:
    padded = sliding.pad(x)
    kernel_h, kernel_w = sliding.window.kernel
    a = np.empty((dy.shape[2], kernel_h, kernel_w, x.shape[2]), dtype=np.int64)
    flat = dy.reshape(-1, dy.shape[2])
    for ky, kx, at in sliding.taps():
        a[:, ky, kx] = matmul(flat.T, padded[at].reshape(-1, x.shape[2]))
    return a


def depthwise_sum(x: Ints, dy: Ints, sliding: Sliding) -> Ints:
    """The sums [kept][kernel_h][kernel_w] from x minus its zero point and dy, both
    [height][width][kept].
    """
    padded = sliding.pad(x)
    taps = [(padded[at] * dy).sum(axis=(0, 1)) for _, _, at in sliding.taps()]
    return np.stack(taps, axis=1).reshape(x.shape[2], *sliding.window.kernel)


def fully_connected_sum(x: Ints, dy: Ints) -> Ints:
    """The sums [out][kept] from x [rows][kept] minus its zero point and dy [rows][out]."""
    return matmul(dy.T, x)


# ---- Steps: 6.2, 6.4, 6.5 ------------------------------------------------------------


@dataclass(frozen=True)
class Updated:
    """New stored weights, and how many the clamp changed."""

    values: Ints
    saturated: int


def update_rows(w: Ints, a: Ints, rates: Factors, rate: Factor, e_dy: int, draw: Draw) -> Updated:
    """SPEC 6.4: w and its sums a, [rows][elements], rates [rows]."""
    column = Factors(rates.mantissa[:, None], rates.exponent[:, None])
    moved = _descend(w, _step(a, column, rate, e_dy), draw.bits(*w.shape), column)
    clamped = np.clip(moved, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return Updated(clamped, int((clamped != moved).sum()))


def update_bias(
    b: Ints, dy: Ints, rates: Factors, rate: Factor, e_dy: int, draw: Draw, limit: int
) -> Ints:
    """SPEC 6.5: b [out], dy [rows][out], rates [out]."""
    u = draw.bits(1, b.size)[0]
    moved = _descend(b, _step(dy.sum(axis=0), rates, rate, e_dy), u, rates)
    return np.clip(moved, -limit, limit)


def _step(a: Ints, rates: Factors, rate: Factor, e_dy: int) -> Ints:
    """SPEC 6.2: delta, in units of 2^-16."""
    m = rate.mantissa * rates.mantissa // 2
    exponent = rate.exponent + rates.exponent + 1 + e_dy
    return np.clip(scale(a, m, exponent + 16), -_DELTA_MAX, _DELTA_MAX)


def _descend(w: Ints, delta: Ints, u: Ints, rates: Factors) -> Ints:
    """SPEC 6.4 before its clamp; what has no rate stays."""
    return ints(np.where(rates.mantissa != 0, w + ((u - delta) >> 16), w))
