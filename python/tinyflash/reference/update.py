"""SPEC 6: updates weights and biases in place, with stochastic rounding, by a rule."""

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
ZERO = Factor(0, 0)


@dataclass(frozen=True)
class Draw:
    """The inputs of the random bits of one tensor in one training step (SPEC 6.3)."""

    seed: int
    step: int
    tensor: int  # id in the source model
    source: tuple[int, ...] = ()  # channel numbers there; empty: unchanged

    def bits(self, rows: int) -> Ints:
        """32 random bits for each of `rows` rows."""
        return ints([self._bits(row) for row in self.source or range(rows)])

    def _bits(self, row: int) -> int:
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


# ---- Steps: 6.2, 6.4, 6.5, 6.7 to 6.9 -------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """The compiled settings of an update, and the learning rate of this step (0 if skipped)."""

    rate: Factor
    e_dy: int = 0
    decay: Factor = ZERO
    momentum: int = 0  # Q15
    every: int = 1
    nearest: bool = False


@dataclass(frozen=True)
class Trained:
    """The stored integers that an update changes, [rows][elements] or, for biases, [out], and the
    rule's state for each."""

    values: Ints
    velocity: Ints | None = None
    low: Ints | None = None


@dataclass(frozen=True)
class Updated:
    """The same after the update, and the number of weights that the clamp changed."""

    to: Trained
    saturated: int


def update_rows(old: Trained, a: Ints, rates: Factors, rule: Rule, draw: Draw) -> Updated:
    """SPEC 6.4, 6.8, 6.9: weights and their sums a, [rows][elements], rates [rows]."""
    column = Factors(rates.mantissa[:, None], rates.exponent[:, None])
    k = draw.bits(len(old.values))[:, None]
    delta = _clamp(_step(a, column, rule) + _decay(old.values, rule), _DELTA_MAX)
    velocity, low = old.velocity, old.low
    if velocity is not None:
        damped = (velocity * _momentum(rule, draw.step) + 2**6) >> 7
        delta = _clamp(damped + delta, 0x7FFF00)
        velocity = (delta + _remainders(k, delta, 8, rule)) >> 8
    moved = old.values
    if _moves(rule, draw.step):
        u = _remainders(k >> 16, -delta, 16 if low is None else 8, rule)
        t = u - delta if low is None else (low << 8) + u - delta
        moved = old.values + (t >> 16)
        if low is not None:
            low = np.where(moved > WEIGHT_LIMIT, 255, np.where(moved < -WEIGHT_LIMIT, 0, t >> 8))
            low = ints(low % 256)
    active = column.mantissa != 0
    if velocity is None:
        active = active & (rule.rate.mantissa != 0)
    moved = ints(np.where(active, moved, old.values))
    changes = active & _moves(rule, draw.step)
    clamped = ints(np.where(changes, _clamp(moved, WEIGHT_LIMIT), moved))
    new = Trained(clamped, _only(active, velocity, old.velocity), _only(active, low, old.low))
    return Updated(new, int((clamped != moved).sum()))


def update_bias(
    old: Trained, dy: Ints, rates: Factors, rule: Rule, draw: Draw, limit: int
) -> Trained:
    """SPEC 6.5, 6.8: biases [out], dy [rows][out], rates [out]."""
    k = draw.bits(old.values.size)
    delta = _step(dy.sum(axis=0), rates, rule)
    velocity = old.velocity
    if velocity is not None:
        product = velocity * _momentum(rule, draw.step)
        damped = np.sign(product) * (np.abs(product) >> 15)
        delta = velocity = _clamp(damped + delta, _DELTA_MAX)
    moved = old.values
    if _moves(rule, draw.step):
        u = 2**15 if rule.nearest else k >> 16
        moved = _clamp(old.values + ((u - delta) >> 16), limit)
    alive = rates.mantissa != 0
    return Trained(ints(np.where(alive, moved, old.values)), _only(alive, velocity, old.velocity))


def _only(where: Ints, new: Ints | None, old: Ints | None) -> Ints | None:
    return None if new is None or old is None else ints(np.where(where, new, old))


def _clamp(v: Ints, limit: int) -> Ints:
    return np.clip(v, -limit, limit)


def _remainders(first: Ints, added: Ints, bits: int, rule: Rule) -> Ints:
    """SPEC 6.3: the `bits` bits that round each element [rows][elements]: the lowest bits of first
    [rows][1] for the first element, then those of the previous bits plus the previous element's
    `added`.
    """
    if rule.nearest:
        return np.full_like(added, 1 << (bits - 1))
    left = np.cumsum(added, axis=1) - added
    return (first + left) % (1 << bits)


def _momentum(rule: Rule, step: int) -> int:
    """SPEC 6.8: mu'."""
    return rule.momentum if step % rule.every == 0 else 2**15


def _moves(rule: Rule, step: int) -> bool:
    """SPEC 6.8: whether weights change in this step."""
    return step % rule.every == rule.every - 1


def _step(a: Ints, rates: Factors, rule: Rule) -> Ints:
    """SPEC 6.2: g, in units of 2^-16."""
    m = rule.rate.mantissa * rates.mantissa // 2
    exponent = rule.rate.exponent + rates.exponent + 1 + rule.e_dy
    return _clamp(scale(a, m, exponent + 16), _DELTA_MAX)


def _decay(w: Ints, rule: Rule) -> Ints:
    """SPEC 6.2: d."""
    n = rule.rate.mantissa * rule.decay.mantissa // 2**9
    s = max(-(rule.rate.exponent + rule.decay.exponent + 9 + 16), 1)
    return ints(np.zeros_like(w)) if s > 31 else (w * n + 2 ** (s - 1)) >> s
