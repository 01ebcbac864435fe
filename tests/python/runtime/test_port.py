"""Ports: the model's own units to stored bytes and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyflash.errors import DataError
from tinyflash.graph import Port, Quant
from tinyflash.runtime.units import decode, encode

FLOAT = Port("input", "float32", (1, 2, 3), Quant((0.5,), -28))
INT8 = replace(FLOAT, dtype="int8")
UINT8 = replace(FLOAT, dtype="uint8")


def one(*values: float) -> np.ndarray:
    return np.array(values).reshape(1, 2, 3)


def test_floats_round_half_away_from_zero_and_clamp() -> None:
    stored = encode(FLOAT, one(0.25, -0.25, 0.24, 1e30, -1e30, 1e300))
    assert stored.ravel().tolist() == [-27, -29, -28, 127, -128, 127]
    assert stored.dtype == np.int8


def test_division_is_in_float32() -> None:
    port = replace(FLOAT, shape=(1, 1), quant=Quant((float(np.float32(0.1)),), 0))
    assert 0.25 / float(np.float32(0.1)) < 2.5  # the exact quotient would round to 2
    assert encode(port, [[0.25]])[0, 0] == 3


def test_decode_is_exact_in_double_then_rounded() -> None:
    port = replace(FLOAT, quant=Quant((float(np.float32(0.1)),), 3))
    stored = np.arange(-128, 128, dtype=np.int8)
    real = decode(port, stored)
    assert real.dtype == np.float32
    assert real.tolist() == [
        float(np.float32(float(np.float32(0.1)) * (int(v) - 3))) for v in stored
    ]


def test_every_byte_survives_a_round_trip() -> None:
    port = replace(FLOAT, shape=(1,))
    stored = np.arange(-128, 128, dtype=np.int8)
    assert np.array_equal(encode(port, decode(port, stored)), stored)


def test_bytes_pass_as_they_are() -> None:
    values = np.array([[[0, 127, 128], [200, 255, 1]]])
    assert encode(UINT8, values).view(np.uint8).tolist() == values.tolist()
    assert decode(UINT8, encode(UINT8, values)).tolist() == values.tolist()
    assert decode(UINT8, encode(UINT8, values)).dtype == np.uint8
    assert encode(INT8, values - 128).tolist() == (values - 128).tolist()


@pytest.mark.parametrize(
    ("port", "x", "words"),
    [
        (FLOAT, one(0, 0, float("nan"), 0, 0, 0), r"samples\[0, 0, 2\].*nan.*finite"),
        (FLOAT, one(0, 0, 0, float("inf"), 0, 0), r"samples\[0, 1, 0\].*inf"),
        (FLOAT, np.zeros((4, 3, 2)), r"\(4, 3, 2\).*\(samples, 2, 3\)"),
        (FLOAT, 1.0, r"shape \(\)"),
        (FLOAT, one(0, 0, 0, 0, 0, 0).astype(complex), "complex128"),
        (FLOAT, [[1, 2], [3]], "array of numbers"),
        (INT8, one(0, 0, 0, 0, 128, 0), r"samples\[0, 1, 1\].*128.*int8"),
        (UINT8, one(0, -1, 0, 0, 0, 0), "-1.*uint8"),
        (UINT8, one(0, 0.5, 0, 0, 0, 0), r"0\.5.*uint8"),
    ],
)
def test_refused_samples(port: Port, x: object, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        encode(port, x)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
