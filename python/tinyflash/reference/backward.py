"""SPEC 4: gradients of the operators' inputs, as int32 values before they are stored (4.3).

dy is a stored gradient; e = e_dy - e_dx, the difference of the two exponents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.graph import Clip, PadAttrs, TakeAttrs
from tinyflash.program import Factor
from tinyflash.reference.arith import Ints, ceil_log2, even, ints, matmul, sat32, scale
from tinyflash.reference.constants import Descent, MulConstants, PreluConstants, cover
from tinyflash.reference.windows import Sliding, places


def conv2d(dy: Ints, w: Ints, sliding: Sliding, k: Descent, e: int) -> Ints:
    """SPEC 4.1: w is [out][kernel_h][kernel_w][in / groups]."""
    t = np.split(_weigh(dy, k), k.groups, axis=2)
    parts = zip(t, np.split(w, k.groups), strict=True)
    a = np.concatenate([_conv2d_sum(*part, sliding) for part in parts], axis=2)
    return scale(a, k.factor.mantissa, k.factor.exponent + e)


def _conv2d_sum(t: Ints, w: Ints, sliding: Sliding) -> Ints:
    """The sums of one group."""
    a = sliding.pad(np.zeros((*sliding.x, w.shape[3]), dtype=np.int64))
    for ky, kx, at in sliding.taps():
        a[at] += matmul(t, w[:, ky, kx])
    return sliding.crop(a)


def fully_connected(dy: Ints, w: Ints, k: Descent, e: int) -> Ints:
    """SPEC 4.1: dy is [rows][out], w [out][in]."""
    a = matmul(_weigh(dy, k), w)
    return scale(a, k.factor.mantissa, k.factor.exponent + e)


def _weigh(dy: Ints, k: Descent) -> Ints:
    """SPEC 4.1: t, int16: dy times the ratio of its channel's weight scale."""
    q = k.ratio_shift
    return (dy * k.ratio + (1 << (7 + q))) >> (8 + q)


def depthwise(dy: Ints, w: Ints, sliding: Sliding, k: Descent, e: int) -> Ints:
    """SPEC 4.2: w is [kernel_h][kernel_w][out], with `k.multiplier` channels per channel of x."""
    t = dy if k.multiplier == 1 else _weigh(dy, k)
    channels = w.shape[2] // k.multiplier
    a = sliding.pad(np.zeros((*sliding.x, channels), dtype=np.int64))
    for ky, kx, at in sliding.taps():
        a[at] += (t * w[ky, kx]).reshape(*dy.shape[:2], channels, k.multiplier).sum(axis=3)
    return scale(sliding.crop(a), k.factor.mantissa, k.factor.exponent + e)


def gradient_add(a: Ints, e_a: int, b: Ints | None, e_b: int, e_dx: int) -> Ints:
    """SPEC 4.5: the sum of gradients of different exponents, rounded once."""
    e = e_a if b is None else min(e_a, e_b)
    u = a << (e_a - e)
    if b is not None:
        u = u + (b << (e_b - e))
    s = e_dx - e
    if s > 0:
        return sat32(even(u, s))
    return sat32(np.clip(u, -(2**31), 2**31) << min(-s, 31))


def average_pool(dy: Ints, sliding: Sliding, e: int) -> Ints:
    """SPEC 4.6."""
    q = 23 - ceil_log2(cover(sliding))
    n = sliding.counts()[..., None]
    shares = dy * ((2**q + n // 2) // n)
    a = sliding.pad(np.zeros((*sliding.x, dy.shape[2]), dtype=np.int64))
    for _, _, at in sliding.taps():
        a[at] += shares
    return scale(sliding.crop(a), 1, e - q)


def max_pool(x: Ints, dy: Ints, sliding: Sliding, e: int) -> Ints:
    """SPEC 4.6: the first largest element, by rows, gets its window's dy."""
    padded = sliding.pad(x, value=-129)  # below every element
    first = np.argmax([padded[at] for _, _, at in sliding.taps()], axis=0)
    a = np.zeros_like(padded)
    for tap, (_, _, at) in enumerate(sliding.taps()):
        a[at] += np.where(first == tap, dy, 0)
    return scale(sliding.crop(a), 1, e)


def chosen(a: Ints, y: Ints, index: int, dy: Ints, e: int) -> Ints:
    """SPEC 4.6, minimum and maximum: by a where it is y, by b elsewhere; index 0 is a."""
    passes = a == y if index == 0 else a != y
    return scale(np.where(passes, dy, 0), 1, e)


def mean(dy: Ints, count: int, reciprocal: Factor, e: int) -> Ints:
    """SPEC 4.6: dy [outer][inner] to dx [outer][count][inner]."""
    v = scale(dy, reciprocal.mantissa, reciprocal.exponent + e)
    return np.repeat(v[:, None, :], count, axis=1)


def pad(dy: Ints, attrs: PadAttrs, e: int) -> Ints:
    """SPEC 4.6: the elements inside the padding."""
    inside = tuple(
        slice(before, size - after)
        for before, after, size in zip(attrs.before, attrs.after, dy.shape, strict=True)
    )
    return scale(dy[inside], 1, e)


def take(dy: Ints, shape: tuple[int, ...], attrs: TakeAttrs, e: int) -> Ints:
    """SPEC 4.6: the sum over all places of y that are one of x, which has `shape`."""
    axes = zip((attrs.rows, attrs.columns, attrs.channels), dy.shape, strict=True)
    total = np.zeros(shape, dtype=np.int64)
    np.add.at(total, np.ix_(*(places(steps, count) for steps, count in axes)), dy)
    return scale(total, 1, e)


def concatenate(dy: Ints, axis: int, start: int, size: int, e: int) -> Ints:
    """SPEC 4.6: the elements [start, start + size) along the axis."""
    return scale(dy.take(range(start, start + size), axis), 1, e)


def transpose(dy: Ints, order: tuple[int, ...], e: int) -> Ints:
    """SPEC 4.6: dy's dimension i is dx's dimension order[i]."""
    return scale(dy.transpose(np.argsort(order)), 1, e)


def lookup(x: Ints, slope: Ints, dy: Ints, e: int) -> Ints:
    """SPEC 4.6: slope is Q14, indexed by the byte of x."""
    return scale(dy * slope[x & 0xFF], 1, e - 14)


def sub(dy: Ints, e: int) -> Ints:
    """SPEC 4.6: the gradient of b."""
    return scale(-dy, 1, e)


def mul_a(b: Ints, dy: Ints, k: MulConstants, e: int) -> Ints:
    """SPEC 4.6: the gradient of a, which has the shape of dy."""
    a = dy.reshape(-1, b.size) * (b.ravel() - k.b_zero)
    return scale(a, k.b_scale.mantissa, k.b_scale.exponent + e)


def mul_b(a: Ints, dy: Ints, size: int, k: MulConstants, e: int) -> Ints:
    """SPEC 4.6: the gradient of b, `size` elements; each was multiplied with all rows of a."""
    total = (dy.reshape(-1, size) * (a.reshape(-1, size) - k.a_zero)).sum(axis=0)
    return scale(total, k.a_scale.mantissa, k.a_scale.exponent + e)


def prelu(x: Ints, alpha: Ints, dy: Ints, k: PreluConstants, e: int) -> Ints:
    """SPEC 4.6: the gradient of x."""
    rows, d = (array.reshape(-1, alpha.size) for array in (x, dy))
    slopes = alpha.ravel() - k.alpha_zero
    below = scale(d * slopes, k.alpha_scale.mantissa, k.alpha_scale.exponent + e)
    return np.where(rows > k.x_zero, scale(d, 1, e), below)


def softmax(y: Ints, dy: Ints, beta: Factor, e: int) -> Ints:
    """SPEC 4.6: over the last axis."""
    p = y + 128
    s = (dy * p).sum(axis=-1, keepdims=True)
    return scale(p * (256 * dy - s), beta.mantissa, beta.exponent + e - 16)


# ---- Masks: 4.4 ----------------------------------------------------------------------


def mask(y: Ints, clip: Clip) -> Ints:
    """SPEC 4.4: one bit per element, [ceil(elements / 8)] bytes."""
    passes = (y > clip.low) & (y < clip.high)
    return ints(np.packbits(passes.ravel(), bitorder="little"))


def unpack(bits: Ints, count: int) -> Ints:
    """Returns the first `count` bits of a mask."""
    return ints(np.unpackbits(bits.astype(np.uint8), bitorder="little", count=count))


# ---- Losses: 4.7, 4.8 -----------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """The results of SPEC 4.7 and 4.8."""

    dy: Ints
    exponent: int
    peak: int
    predicted: int = 0
    probability: int = 0  # Q15
    error: int = 0


def softmax_loss(logits: Ints, table: Ints, label: int, on: int = 2**15, off: int = 0) -> Loss:
    """SPEC 4.7: the gradient of the cross-entropy for the logits, and the outcome."""
    x = logits.ravel()
    e = table[x.max() - x]
    total = e.sum()
    p = (e * 2**15 + total // 2) // total
    g = p - off
    g[label] = p[label] - on
    peak = int(np.abs(g).max())
    k = 0
    while peak * 2 >= 255 << k:
        k += 1
    d = np.clip(even(g, k), -127, 127)
    return Loss(
        dy=d.reshape(logits.shape),
        exponent=k - 15,
        peak=peak,
        predicted=int(np.argmax(x)),
        probability=min(int(p[label]), 65535),
    )


def squared_loss(x: Ints, target: Ints, factor: Factor) -> Loss:
    """SPEC 4.8: mean squared error."""
    g = x - target
    return _towards_target(g, factor, int((g * g).sum()))


def sigmoid_loss(x: Ints, target: Ints, table: Ints, factor: Factor) -> Loss:
    """SPEC 4.8: binary cross-entropy."""
    g = table[x & 0xFF] - ((target + 128) * 2**15 + 127) // 255
    return _towards_target(g, factor, int(np.abs(g).sum()))


def _towards_target(g: Ints, factor: Factor, error: int) -> Loss:
    v = g * factor.mantissa
    peak = int(np.abs(v).max())
    k = max(0, -40 - factor.exponent)
    while peak * 2 >= 255 << k:
        k += 1
    dy = np.clip(even(v, k), -127, 127)
    return Loss(dy, factor.exponent + k, peak, error=error)
