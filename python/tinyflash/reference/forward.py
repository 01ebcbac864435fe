"""SPEC 2 and 3: the forward operators. Maps are int64 arrays [height][width][channels]."""

from __future__ import annotations

import numpy as np

from tinyflash.graph import Clip, PadAttrs, TakeAttrs
from tinyflash.reference.arith import Ints, hmul, ints, matmul, mulq, rdiv, sat32
from tinyflash.reference.constants import (
    AddConstants,
    LogSoftmaxConstants,
    MeanConstants,
    MulConstants,
    PreluConstants,
    Requant,
)
from tinyflash.reference.windows import Sliding, places

# ---- Layers with weights -------------------------------------------------------------


def requantize(a: Ints, r: Requant) -> Ints:
    """SPEC 2.2: int32 sums [..., out] to stored outputs."""
    y = mulq(a, r.multiplier, r.shift) + r.y_zero
    return np.clip(y, r.clip.low, r.clip.high)


def conv2d(x: Ints, w: Ints, b: Ints, sliding: Sliding, r: Requant) -> Ints:
    """SPEC 2: w is [out][kernel_h][kernel_w][in / groups]."""
    groups = x.shape[2] // w.shape[3]
    parts = zip(np.split(x - r.x_zero, groups, axis=2), np.split(w, groups), strict=True)
    a = np.concatenate([_conv2d_sum(*part, sliding) for part in parts], axis=2)
    return requantize(a + b, r)


def _conv2d_sum(x: Ints, w: Ints, sliding: Sliding) -> Ints:
    """The sums of one group: x minus its zero point."""
    padded = sliding.pad(x)
    return ints(sum(matmul(padded[at], w[:, ky, kx].T) for ky, kx, at in sliding.taps()))


def depthwise(x: Ints, w: Ints, b: Ints, sliding: Sliding, r: Requant) -> Ints:
    """SPEC 2: w is [kernel_h][kernel_w][out]; output channel c reads input channel c * in / out."""
    repeated = np.repeat(x - r.x_zero, w.shape[2] // x.shape[2], axis=2)
    padded = sliding.pad(repeated)
    a = sum(padded[at] * w[ky, kx] for ky, kx, at in sliding.taps())
    return requantize(a + b, r)


def fully_connected(x: Ints, w: Ints, b: Ints, r: Requant) -> Ints:
    """SPEC 2: x is [rows][in], w [out][in]."""
    return requantize(matmul(x - r.x_zero, w.T) + b, r)


# ---- Other operators -----------------------------------------------------------------


def add(a: Ints, b: Ints, k: AddConstants, clip: Clip, sign: int = 1) -> Ints:
    """SPEC 3.1: b has the shape of a, or is one row; sign -1: the difference."""
    u = mulq((a.reshape(-1, b.size) - k.a_zero) << 20, *k.a)
    v = mulq((b.ravel() - k.b_zero) << 20, *k.b)
    return np.clip(mulq(u + sign * v, *k.y) + k.y_zero, clip.low, clip.high)


def mul(a: Ints, b: Ints, k: MulConstants, clip: Clip) -> Ints:
    """SPEC 3.5: b has the shape of a, or is one row."""
    rows = (a.reshape(-1, b.size) - k.a_zero) * (b.ravel() - k.b_zero)
    y = mulq(rows, k.multiplier, k.shift) + k.y_zero
    return np.clip(y, clip.low, clip.high)


def prelu(x: Ints, alpha: Ints, k: PreluConstants, clip: Clip) -> Ints:
    """SPEC 3.9: alpha is one row for all rows of x."""
    v = x.reshape(-1, alpha.size) - k.x_zero
    u = np.where(v >= 0, mulq(v, *k.above), mulq(v * (alpha.ravel() - k.alpha_zero), *k.below))
    return ints(np.clip(u + k.y_zero, clip.low, clip.high))


def average_pool(x: Ints, sliding: Sliding, clip: Clip) -> Ints:
    """SPEC 3.2."""
    padded = sliding.pad(x)
    s = ints(sum(padded[at] for _, _, at in sliding.taps()))
    n = sliding.counts()[..., None]
    nudged = s + np.where(s > 0, n // 2, -(n // 2))
    truncated = np.sign(nudged) * (np.abs(nudged) // n)
    return ints(np.clip(truncated, clip.low, clip.high))


def maximum(a: Ints, b: Ints) -> Ints:
    """SPEC 3.7."""
    return np.maximum(a, b)


def minimum(a: Ints, b: Ints) -> Ints:
    """SPEC 3.7."""
    return np.minimum(a, b)


def max_pool(x: Ints, sliding: Sliding, clip: Clip) -> Ints:
    """SPEC 3.2."""
    padded = sliding.pad(x, value=-128)
    largest = np.max([padded[at] for _, _, at in sliding.taps()], axis=0)
    return ints(np.clip(largest, clip.low, clip.high))


def mean(x: Ints, k: MeanConstants) -> Ints:
    """SPEC 3.3: x is [outer][count][inner]."""
    a = x.sum(axis=1) - k.x_zero * x.shape[1]
    return np.clip(mulq(a, k.multiplier, k.shift) + k.y_zero, -128, 127)


def pad(x: Ints, attrs: PadAttrs) -> Ints:
    """SPEC 3.6."""
    amounts = list(zip(attrs.before, attrs.after, strict=True))
    return np.pad(x, amounts, constant_values=attrs.value)


def take(x: Ints, shape: tuple[int, ...], attrs: TakeAttrs) -> Ints:
    """SPEC 3.8: y has `shape`."""
    axes = (attrs.rows, attrs.columns, attrs.channels)
    return x[np.ix_(*(places(s, n) for s, n in zip(axes, shape, strict=True)))]


def lookup(x: Ints, table: Ints) -> Ints:
    """SPEC 3.6: the table is indexed by the byte of x."""
    return ints(table[x & 0xFF])


def softmax(x: Ints, table: Ints) -> Ints:
    """SPEC 3.4: over the last axis."""
    rows = x.reshape(-1, x.shape[-1])
    return np.stack([_softmax_row(row, table) for row in rows]).reshape(x.shape)


def _softmax_row(x: Ints, table: Ints) -> Ints:
    e = table[x.max() - x]
    total = int(rdiv(e, 12).sum())
    zeros = 32 - total.bit_length()
    r = _reciprocal((total << zeros) - 2**31)
    return np.clip(rdiv(hmul(e, r), 35 - zeros) - 128, -128, 127)


def log_softmax(x: Ints, table: Ints, k: LogSoftmaxConstants) -> Ints:
    """SPEC 3.10: over the last axis."""
    d = x.max(axis=-1, keepdims=True) - x
    sums = rdiv(table[d], 12).sum(axis=-1, keepdims=True)
    whole = ints([_log(int(s)) for s in sums.ravel()]).reshape(sums.shape)
    y = np.clip(rdiv(mulq(-d, k.multiplier, k.shift) - whole, 22) + 127, -128, 127)
    return ints(np.where(d > k.reach, -128, y))


def _log(total: int) -> int:
    """The logarithm of SPEC 3.10, Q19 to Q26."""
    root, quarter = 1518500250, 1805811301

    def h(a: int, b: int) -> int:
        return int(hmul(ints(a), ints(b)))

    c, b = 32 - total.bit_length(), 31 - h(total, root).bit_length()
    r = min(2 * h(total << (c - 1), root), int(sat32(ints(total << b))))
    e = max(((12 - c) << 25) + (1 << 23), ((12 - b) << 25) - (1 << 23))
    p, q = (r + quarter + 1) >> 1, 2 * (r - quarter)
    g = h(q, q)
    n = h(q, r) + h(h(q, g), 117049297)
    t = h(p, 1057819769 + q + h(127690142, g)) + h(638450708, q)
    return 2 * (h(e, 1488522236) + h(int(rdiv(ints(n), 6)), int(_reciprocal(t))))


def _reciprocal(t: int) -> Ints:
    """1 / (1 + t / 2^31) in Q31, by three Newton steps; 0 <= t < 2^31."""
    half = ints((t + 2**31) >> 1)
    q = 1515870810 + hmul(half, -1010580540)
    for _ in range(3):
        q = q + _shift_left(hmul(q, 2**29 - hmul(half, q)), 2)
    return _shift_left(q, 1)


def _shift_left(v: Ints, s: int) -> Ints:
    return sat32(v << s)
