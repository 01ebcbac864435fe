"""Converts between a model's own input and output types and the stored bytes of the network.

Float conversions are bit-equal to TensorFlow Lite's QUANTIZE and DEQUANTIZE.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import fitted
from tinyflash.errors import DataError, InternalError
from tinyflash.graph import Port
from tinyflash.runtime.session import Int8Array

Numbers = npt.NDArray[Any]


def encode(port: Port, x: npt.ArrayLike) -> Int8Array:
    """Encodes samples [n, ...] in the port's own units -> stored bytes, [n] and the port's shape.

    uint8 stays the raw byte. Accepts numbers of other types if all of them fit. Axes of length 1
    may be left out (arrays.fitted).
    """
    samples = _numbers(port, x)
    if port.dtype == "float32":
        return _quantize(port, samples)
    limits = np.iinfo(port.dtype)
    _refuse(
        samples, (samples < limits.min) | (samples > limits.max), f"out of range of {port.dtype}"
    )
    if samples.dtype.kind == "f":
        _refuse(
            samples,
            samples != np.trunc(samples),
            f"not a whole number; the model reads {port.dtype}",
        )
    return samples.astype(port.dtype).view(np.int8)


def decode(port: Port, raw: npt.ArrayLike) -> npt.NDArray[np.float32 | np.int8 | np.uint8]:
    """Decodes stored bytes, any shape -> the port's own type: floats if the model's output is
    float."""
    stored = np.asarray(raw, np.int8)
    if port.dtype == "uint8":
        return stored.view(np.uint8)
    if port.dtype == "int8":
        return stored
    scale, zero = _coding(port)
    real = scale * (stored.astype(np.float64) - zero)
    return real.astype(np.float32)


def _coding(port: Port) -> tuple[float, int]:
    if port.quant is None:
        raise InternalError(f"port {port.tensor}: float without a scale")
    return port.quant.scale[0], port.quant.zero


def _numbers(port: Port, x: npt.ArrayLike) -> Numbers:
    """Returns the samples as an array of finite numbers, with the port's shape after the first
    axis."""
    try:
        samples = np.asarray(x)
    except ValueError as error:
        raise DataError(f"samples are not an array of numbers: {error}") from error
    if samples.dtype.kind not in "buif":
        raise DataError(f"samples are {samples.dtype}; the model reads {port.dtype} numbers")
    samples = fitted(samples, port.shape[1:])
    if samples.dtype.kind == "f":
        _refuse(samples, ~np.isfinite(samples), "not a finite number")
    return samples


def _refuse(samples: Numbers, wrong: npt.NDArray[np.bool_], reason: str) -> None:
    """Raises DataError for the first wrong number, with its position."""
    if wrong.any():
        first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        place = ", ".join(str(int(i)) for i in first)
        raise DataError(f"samples[{place}] is {samples[first]}: {reason}")


def _quantize(port: Port, samples: Numbers) -> Int8Array:
    """Returns round(real / scale) + zero: division in float32, halves away from zero, clamped."""
    scale, zero = _coding(port)
    with np.errstate(over="ignore"):
        real = samples.astype(np.float32)
        ratio = np.clip(real / np.float32(scale), -1024, 1024)
    whole = np.trunc(ratio)
    rounded = whole + np.sign(ratio) * (np.abs(ratio - whole) >= 0.5)
    stored: Int8Array = np.clip(rounded.astype(np.int32) + zero, -128, 127).astype(np.int8)
    return stored
