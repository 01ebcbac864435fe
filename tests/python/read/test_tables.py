"""Tables of functions: near the real function everywhere, and refused where TFLM would refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinyflash.graph import Clip
from tinyflash.quantize import fixedpoint, tables
from tinyflash.quantize.tables import Coding

X = Coding(0.05, -11)
Y = Coding(0.03, 7)


def real(coding: Coding, table: tables.Table) -> np.ndarray:
    return coding.scale * (table.astype(float) - coding.zero)


def inputs(coding: Coding) -> np.ndarray:
    return coding.scale * coding.centred


def within_range(y: Coding, values: np.ndarray) -> np.ndarray:
    return np.clip(values, y.scale * (-128 - y.zero), y.scale * (127 - y.zero))


@pytest.mark.parametrize(
    ("y", "table", "function"),
    [
        (Y, lambda y: tables.requantize(X, y), lambda x: x),
        (Y, lambda y: tables.relu(X, y), lambda x: np.maximum(x, 0)),
        (X, lambda y: tables.relu6(X, y), lambda x: np.clip(x, 0, 6)),
        (Y, lambda y: tables.leaky_relu(X, y, 0.3), lambda x: np.where(x < 0, 0.3 * x, x)),
        (Coding(1 / 256, -128), lambda y: tables.logistic(X, y), lambda x: 1 / (1 + np.exp(-x))),
        (Coding(1 / 128, 0), lambda y: tables.tanh(X, y), np.tanh),
        (Y, lambda y: tables.hard_swish(X, y), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    ],
)
def test_table_is_within_one_step_of_the_function(
    y: Coding,
    table: Callable[[Coding], tables.Table],
    function: Callable[[np.ndarray], np.ndarray],
) -> None:
    expected = within_range(y, function(inputs(X)))
    assert np.abs(real(y, table(y)) - expected).max() <= 1.01 * y.scale


@pytest.mark.parametrize("function", [tables.add, tables.subtract, tables.multiply])
def test_arithmetic_with_a_number(function: Callable[..., tables.Table]) -> None:
    number = Coding(0.02, 3).operand(np.array([60]))
    y = Coding(0.06, -5)
    signs = {tables.add: np.add, tables.subtract: np.subtract, tables.multiply: np.multiply}
    expected = within_range(y, signs[function](inputs(X), 0.02 * 57))
    found = real(y, function(X.operand(), number, y, Clip()))
    assert np.abs(found - expected).max() <= 0.51 * y.scale


def test_bytes_of_uint8_index_a_table_as_they_are() -> None:
    table = tables.requantize(Coding(0.1, 0, "uint8"), Coding(0.1, -128))
    assert table.tolist() == [b - 128 for b in range(256)]


def test_softmax_exponentials() -> None:
    table = tables.softmax_exponentials(0.05, 1.0)
    assert table[0] == 2**31 - 1
    np.testing.assert_allclose(table / 2**31, np.exp(-0.05 * np.arange(256)), atol=1e-6)
    far = tables.softmax_exponentials(2.0, 1.0)
    assert far[7] > 0
    assert not far[8:].any()


@pytest.mark.parametrize(
    "call",
    [
        lambda: tables.softmax_exponentials(1e-9, 1.0),
        lambda: tables.logistic(X, Coding(1 / 256, 0)),
        lambda: tables.logistic(Coding(1e-10, 0), Coding(1 / 256, -128)),
        lambda: tables.tanh(X, Y),
        lambda: tables.relu6(X, Y),
        lambda: tables.leaky_relu(X, Y, float("nan")),
        lambda: tables.leaky_relu(X, Y, -0.1),
        lambda: tables.hard_swish(Coding(1.0, 0), Coding(1e-3, 0)),
        lambda: tables.hard_swish(Coding(1e-9, 0), Coding(1e-9, 0)),
        lambda: tables.requantize(Coding(1.0, 0), Coding(1e-10, 0)),
        lambda: tables.relu(Coding(1e20, 0), Coding(1e-30, 0)),
        lambda: tables.hard_swish(Coding(1e30, 0), Coding(1e30, 0)),
        lambda: tables.add(X.operand(), X.operand(), Coding(1e-9, 0), Clip()),
    ],
)
def test_refused_scales(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()


NUMBER = Coding(1.0, 0).operand(np.array([127]))


@pytest.mark.parametrize(
    ("function", "bits"),  # of the largest factor: 255 or 255 * 127 times it is below 2^31
    [
        (tables.requantize, 23),
        (tables.relu, 23),
        (tables.absolute, 23),
        (lambda x, y: tables.leaky_relu(x, y, 0.5), 23),
        (lambda x, y: tables.prelu(x, y, NUMBER), 16),
        (lambda x, y: tables.multiply(x.operand(), NUMBER, y, Clip()), 16),
    ],
)
def test_no_table_changes_a_sign_because_a_number_left_int32(
    function: Callable[[Coding, Coding], tables.Table], bits: int
) -> None:
    x, fits = Coding(1.0, 127), Coding(0.51 * 2.0 ** (1 - bits), 0)
    found = function(x, fits)
    assert set(found[128:].tolist()) <= {-128, 127, 0}  # of x in [-255, -128]
    assert found[126].item() == found[128].item()  # x of -1 and of -255
    with pytest.raises(ValueError, match=r"^rescales by [\d.e+]+, beyond the range of int32$"):
        function(x, Coding(fits.scale / 2, 0))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 1), (-0.5, -1), (2.5, 3), (0.49999999999999994, 0), (-7.2, -7), (0.0, 0)],
)
def test_round_half_away(value: float, expected: int) -> None:
    assert fixedpoint.round_half_away(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.1, 0.10000000149011612), (1e39, float("inf"))])
def test_float32(value: float, expected: float) -> None:
    assert fixedpoint.float32(value) == expected
