"""Transposed convolutions as convolutions (both readers).

A transposed convolution of stride s adds x[i] * w[k] to y[s i + k - pad]. So output places with one
remainder r = (o + pad) mod s meet the taps r, r + s, ... only, and are a convolution of stride 1 of
x with these taps, reversed. All s * s of these are one convolution with s * s times the channels,
whose output channels then become rows and columns, and whose surplus is cut off.

Each weight has one place in that convolution, so its gradient is that of the transposed one. Where
s does not divide the kernel, there are also taps of weight 0. Each bias is there s * s times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Pair, Steps, TakeAttrs, Window

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Unfolded:
    """The convolution's window, and the shapes on the way from its output to the result: as made,
    split, with remainders behind the places that they belong to, and joined; `cut` from that."""

    window: Window
    made: Shape
    split: Shape
    order: tuple[int, ...]
    turned: Shape
    joined: Shape
    cut: TakeAttrs


def unfold(
    kernel: Pair, stride: Pair, before: Pair, size: Pair, made: Pair, channels: int
) -> Unfolded:
    """before: the padding at the top and at the left, of the output. size, made: of x and y."""
    sides = [_side(*side) for side in zip(kernel, stride, before, size, made, strict=True)]
    (rows, columns) = sides
    (tall, wide), (sy, sx) = (rows.count, columns.count), stride
    return Unfolded(
        Window(
            (rows.taps, columns.taps),
            padding=(rows.top, columns.top, rows.bottom, columns.bottom),
        ),
        (1, tall, wide, sy * sx * channels),
        (1, tall, wide, sy, sx * channels),
        (0, 1, 3, 2, 4),
        (1, tall, sy, wide, sx * channels),
        (1, tall * sy, wide * sx, channels),
        TakeAttrs(Steps(rows.first), Steps(columns.first)),
    )


@dataclass(frozen=True)
class _Side:
    taps: int
    top: int
    bottom: int
    count: int  # of places that the convolution computes
    first: int  # that is kept of them, after they are joined


def _side(kernel: int, stride: int, before: int, size: int, made: int) -> _Side:
    taps = -(-kernel // stride)
    skipped = min(before // stride, taps - 1)
    count = -(-(before + made) // stride) - skipped
    bottom = skipped + count - size
    return _Side(
        taps, taps - 1 - skipped, max(bottom, 0), count - min(bottom, 0), before - stride * skipped
    )


def unfolded_weights(w: npt.NDArray[np.generic], stride: Pair) -> npt.NDArray[np.generic]:
    """[out][kernel_h][kernel_w][in] of the transposed convolution, as of the convolution."""
    out, *kernel, depth = w.shape
    taps = [-(-k // s) for k, s in zip(kernel, stride, strict=True)]
    short = [(0, t * s - k) for t, s, k in zip(taps, stride, kernel, strict=True)]
    padded = np.pad(w, [(0, 0), *short, (0, 0)])
    (ty, tx), (sy, sx) = taps, stride
    by_tap = padded.reshape(out, ty, sy, tx, sx, depth)[:, ::-1, :, ::-1]
    return by_tap.transpose(2, 4, 0, 1, 3, 5).reshape(sy * sx * out, ty, tx, depth)
