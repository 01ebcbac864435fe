"""Holds the numbers of samples against the range that a model reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Port, Quant

Numbers = npt.NDArray[Any]
Range = tuple[float, float]

# Warn above or below these.
OUTSIDE = 0.01  # of the samples
USED = 0.1  # of the range
_BEYOND = 0.05  # of the range's width: samples that went into no calibration exceed it a little


def range_of(port: Port) -> Range:
    """Returns the lowest and the highest number that a port stores, in its own units."""
    if port.dtype == "uint8":
        return 0.0, 255.0
    if port.dtype == "int8" or port.quant is None:
        return -128.0, 127.0
    return reals_of(port.quant)


def reals_of(quant: Quant) -> Range:
    """Returns the lowest and the highest real number of a coding with one scale."""
    scale, zero = quant.scale[0], quant.zero
    return scale * (-128 - zero), scale * (127 - zero)


def range_complaint(x: Numbers, reads: Range) -> str | None:
    """Returns what is wrong with samples [n][...], n > 0, for a model that reads numbers in the
    range `reads`: many are far outside, or all use little of it. None: nothing.

    Either costs accuracy silently: numbers outside are cut off; the others share a few of 256
    levels.
    """
    low, high = reads
    found = float(x.min()), float(x.max())
    used = (min(found[1], high) - max(found[0], low)) / (high - low)
    beyond = beyond_complaint(x, reads)
    if beyond is None and used < USED:
        told = _both(found, reads)
        return f"the samples use {_percent(max(used, 0.0))} of the model's range: {told}"
    return beyond


def beyond_complaint(x: Numbers, reads: Range) -> str | None:
    """The same, only of samples that are far outside: a sensor that rests uses little of any
    range."""
    low, high = reads
    flat = x.reshape(len(x), -1)
    lowest, highest = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    beyond = _BEYOND * (high - low)
    outside = float(np.mean((lowest < low - beyond) | (highest > high + beyond)))
    if outside < OUTSIDE:
        return None
    told = _both((float(lowest.min()), float(highest.max())), reads)
    return f"{_percent(outside)} of the samples are outside the model's range: {told}"


def _both(found: Range, reads: Range) -> str:
    return (
        f"the samples range from {found[0]:.4g} to {found[1]:.4g}, the model reads {reads[0]:.4g} "
        f"to {reads[1]:.4g}; scale them as for the training of the model"
    )


def offset_complaint(x: Numbers, stores: Range) -> str | None:
    """Returns what is wrong with samples [n][...], n > 0, that chose the range `stores`: they are
    far from 0, which every range includes, or almost 0. None: nothing."""
    low, high = float(x.min()), float(x.max())
    used = (high - low) / (stores[1] - stores[0])
    if used >= USED:
        return None
    return (
        f"the samples range from {low:.6g} to {high:.6g} and use {_percent(used)} of the input's "
        f"256 levels, from {stores[0]:.4g} to {stores[1]:.4g}; shift or scale them, for the "
        "training of the model, too"
    )


def target_complaint(y: Numbers, stores: Range) -> str | None:
    """Returns what is wrong with targets [n][...], n > 0, of a network whose output stores numbers
    in the range `stores`: all are equal, or they use little of it. None: nothing."""
    low, high = float(y.min()), float(y.max())
    if low == high:
        return f"every target is {low:.4g}: there is nothing to learn but this number"
    used = (high - low) / (stores[1] - stores[0])
    if used < USED:
        return (
            f"the targets use {_percent(used)} of the output's range: the targets range from "
            f"{low:.4g} to {high:.4g}, the output from {stores[0]:.4g} to {stores[1]:.4g}; "
            "scale the targets"
        )
    return None


def signal_complaint(x: Numbers) -> str | None:
    """Returns why samples [n][...], n > 0, say nothing about a network. None: they may."""
    if (x == x.flat[0]).all():
        number = float(x.flat[0]) or 0.0  # -0 is 0, too
        return f"every number of the samples is {number:.4g}: they carry no signal"
    if len(x) > 1 and (x == x[:1]).all():
        return f"all {len(x)} samples are equal"
    return None


def _percent(share: float) -> str:
    """Returns a share in percent, never rounded up to all or down to nothing."""
    percent = 100 * share
    if 0 < percent < 0.95 or 99 < percent < 100:
        return f"{percent:.1g} %" if percent < 1 else f"{int(percent)} %"
    return f"{percent:.0f} %"
