"""The slopes of SPEC 7 and 4.6: the reference's by hand and by differences, and the compiler's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.functions import FUNCTIONS, attrs_of
from tests.support.graphs import Net

from tinyflash.compiler.passes import slopes as compiler
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.graph import LookupAttrs, Quant
from tinyflash.reference.slopes import DERIVATIVES, slopes

ONE = 2**14
INSIDE = np.zeros(256, dtype=np.int64)  # a table that nowhere saturates
CODINGS = [Quant((scale,), zero) for scale in (2.0**-30, 0.03, 1.0) for zero in (-128, 0, 127)]


def by_stored(found: np.ndarray) -> np.ndarray:
    """A table in the order of the stored values -128 .. 127."""
    return np.roll(found, 128)


@pytest.mark.parametrize("quant", CODINGS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_compiler_computes_the_same(name: str, quant: Quant) -> None:
    rng = np.random.default_rng(3)
    table = rng.choice([-128, -127, 0, 126, 127], 256).astype(np.int8)
    found = compiler.slopes(attrs_of(name), quant, table)
    assert found.dtype == np.int16
    assert np.array_equal(found, slopes(attrs_of(name), quant, table))


def test_the_compiler_knows_the_same_functions() -> None:
    assert set(compiler.DERIVATIVES) == set(DERIVATIVES) == set(FUNCTIONS)


@pytest.mark.parametrize("rule", [slopes, compiler.slopes])
def test_inputs_beyond_the_range_of_exp(rule: Callable[..., np.ndarray]) -> None:
    with np.errstate(over="raise"):
        found = by_stored(rule(attrs_of("logistic"), Quant((30.0,), 127), INSIDE))
    assert (found[-1], found[0]) == (ONE // 4, 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0, 0, 0, ONE, ONE]),
        ("relu6", [0, 0, 0, ONE, 0]),
        ("leaky_relu", [4915, 4915, 4915, ONE, ONE]),
        ("hard_swish", [0, 0, ONE // 2, ONE, ONE]),
        ("logistic", [40, 740, ONE // 4, 740, 40]),
        ("tanh", [0, 162, ONE, 162, 0]),
        ("quantize", [ONE] * 5),
    ],
)
def test_at_multiples_of_three(name: str, expected: list[int]) -> None:
    """At -6, -3, 0, 3 and 6: kinks belong to the flatter side, hard_swish's to the outer one."""
    found = by_stored(slopes(attrs_of(name), Quant((3.0,), 5), INSIDE))
    assert found[128 + 5 - 2 : 128 + 5 + 3].tolist() == expected


def test_large_slopes_are_clamped() -> None:
    for alpha, expected in ((3.0, 2**15 - 1), (-3.0, -(2**15)), (1.5, 3 * ONE // 2)):
        found = slopes(LookupAttrs("leaky_relu", alpha), Quant((1.0,)), INSIDE)
        assert by_stored(found)[[0, 127, 129]].tolist() == [expected, expected, ONE]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes_are_those_of_the_table(name: str) -> None:
    """The rise of the lookup itself over 24 values of x, where neither end is saturated."""
    net = Net(np.random.default_rng(1))
    y = net.function(net.input((1, 8), zero=3, scale=0.04), name, zero=-60)
    graph = differentiate(net.graph(net.fully_connected(y, 2)))
    node = graph.nodes[0]
    table, slope = (
        by_stored(np.asarray(graph.tensors[t].data)).astype(float)
        for t in (node.inputs["table"], f"{node.name}_slope")
    )
    quants = [graph.tensors[t].quant for t in (node.inputs["x"], node.outputs["y"])]
    s_x, s_y = (quant.scale[0] for quant in quants if quant)
    rise = (table[24:] - table[:-24]) * s_y
    middles = np.array([slope[i : i + 25].mean() for i in range(256 - 24)]) / ONE
    inside = (np.abs(table[24:] + 0.5) < 127) & (np.abs(table[:-24] + 0.5) < 127)
    error = np.abs(rise - middles * 24 * s_x)[inside]
    assert inside.sum() > 100
    assert error.max() < 2.1 * s_y
