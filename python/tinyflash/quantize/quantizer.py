"""Quantizes float networks to int8 after training, with the conventions of TensorFlow Lite.

Activations: one scale and zero point each, from the model, or from the range on samples. Weights:
symmetric, one scale per output channel. Biases: int32, scale s_x s_w.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tinyflash.arrays import fitted
from tinyflash.errors import DataError, ModelError, warn
from tinyflash.graph import Array, Graph, Quant
from tinyflash.quantize.building import Builder
from tinyflash.quantize.codings import codings, recoded
from tinyflash.quantize.floatgraph.graph import Bounds, FloatGraph, Floats
from tinyflash.quantize.ranges import RULES, Rule, observe
from tinyflash.runtime.reach import (
    offset_complaint,
    range_complaint,
    reals_of,
    signal_complaint,
)

Ends = Literal["float32", "int8"]


@dataclass(frozen=True)
class Settings:
    """How to choose ranges, and the types of input and output. Raises DataError for other ones.

    source: the coding of the input, if it is fixed.
    """

    ranges: Rule = "mse"
    ends: Ends = "float32"
    source: Quant | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("ranges", self.ranges, RULES),
            ("ends", self.ends, get_args(Ends)),
        ):
            if value not in known:
                raise DataError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


def quantize(
    network: FloatGraph, samples: Array | None = None, settings: Settings | None = None
) -> Graph:
    """Returns the network in int8. samples: [n][...] as the model itself reads them; None if all
    tensors have scales.
    """
    settings = settings or Settings()
    _check_weights(network)
    if settings.source is not None:
        network = with_coding(network, network.source.name, settings.source)
    ready, ties = recoded(network)
    ranges: Mapping[str, Bounds] = {}
    if samples is not None:
        ranges = observe(ready, arranged(network, samples), settings.ranges)
    found = codings(ready, ties, ranges)
    missing = [n.name for n in ready.nodes if n.name not in found]
    if missing or ready.source.name not in found:
        first = missing[0] if missing else "the input"
        raise ModelError(
            f"{network.name}: {first} has no scale, as in a float model; give samples to calibrate "
            "with (tinyflash quantize --calibration)"
        )
    if samples is not None:
        _warn_of(network, samples, found[ready.source.name])
    return replace(Builder(ready, found).graph(settings.ends), unread=network.unread)


def with_coding(network: FloatGraph, name: str, quant: Quant) -> FloatGraph:
    """Returns the network with the coding of one tensor set."""
    return replace(network, codings={**network.codings, name: quant})


def arranged(network: FloatGraph, samples: Array) -> Floats:
    """Checks samples, and returns them as the network reads them."""
    return network.source.arrange(as_given(network, samples))


def as_given(network: FloatGraph, samples: Array) -> Floats:
    """Checks samples, and returns them in the shape of the model itself, [n][...]. Axes of length 1
    may be left out (arrays.fitted)."""
    samples = np.asarray(samples)
    if samples.dtype.kind not in "fiub":
        raise DataError(f"calibration samples are {samples.dtype}, expected numbers")
    try:
        samples = fitted(samples, network.source.given)
    except DataError as error:
        raise DataError(f"{network.name}: calibration {error}") from None
    if len(samples) == 0:
        raise DataError("there are no calibration samples; give at least one")
    if not np.isfinite(samples).all():
        raise DataError("calibration samples have numbers that are not finite")
    return samples.astype(np.float32)


def _warn_of(network: FloatGraph, samples: Array, source: Quant) -> None:
    """Warns if the samples say nothing about the ranges, or are not in the model's own units.
    source: the coding of the input."""
    given = as_given(network, samples)
    complaint = signal_complaint(given)
    if complaint is None and network.source.name in network.codings:
        complaint = range_complaint(given, reals_of(source))
    elif complaint is None:
        complaint = offset_complaint(given, reals_of(source))
    if complaint is not None:
        warn(f"{network.name}: calibration: {complaint}")


def _check_weights(network: FloatGraph) -> None:
    for node in network.nodes:
        if node.weights is None:
            continue
        if not (np.isfinite(node.weights.w).all() and np.isfinite(node.weights.b).all()):
            raise ModelError(
                f"{network.name}: layer {node.name}: weights are not finite; train it again"
            )
