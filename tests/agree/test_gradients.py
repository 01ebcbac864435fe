"""Every gradient against float autograd, within its quantization step; updates within one unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from tests.support.functions import FUNCTIONS
from tests.support.graphs import Layer, Net, same
from tests.support.onenode import Case, check_dx, check_updates, exponent_for, make_case
from tests.support.shapes import (
    DEAD,
    EXTREME_WINDOWS,
    LARGE_POOLS,
    LAYERS_UNDER_TEST,
    MAX_POOLS,
    POOLS,
    WINDOWS,
)

from tinyflash.compiler import constants as compiler_constants
from tinyflash.graph import Clip, Steps, Window
from tinyflash.reference import backward, constants, operators, updating
from tinyflash.reference.arith import scale
from tinyflash.reference.windows import Sliding

# ---- Layers with weights -------------------------------------------------------------------------

SOURCES = {
    "zero point -128": Layer(zero=-128, clip=Clip(-128, 127)),
    "zero point 127": Layer(zero=127),
    "relu6": Layer(zero=-20, clip=Clip(-20, 90)),
}


def conv2d(window: Window, layer: Layer, out: int = 6) -> Callable[[Net, str], str]:
    return lambda net, x: net.conv2d(x, out, window, layer)


def depthwise(window: Window, layer: Layer, multiplier: int = 1) -> Callable[[Net, str], str]:
    return lambda net, x: net.depthwise(x, window, layer, multiplier)


def grouped_alike(window: Window, layer: Layer) -> Callable[[Net, str], str]:
    """As many groups as channels, two outputs each."""

    def build(net: Net, x: str) -> str:
        channels = net.tensors[x].shape[2]
        return net.conv2d(x, 2 * channels, window, layer, groups=channels)

    return build


def grouped(window: Window, layer: Layer) -> Callable[[Net, str], str]:
    return lambda net, x: net.conv2d(x, 6, window, layer, groups=3)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("rule", [conv2d, depthwise])
def test_windows(name: str, rule: Callable[..., Callable[[Net, str], str]]) -> None:
    shape, window = WINDOWS[name]
    case = make_case(rule(window, Layer()), shape)
    check_dx(case)
    check_updates(case)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("layer", LAYERS_UNDER_TEST)
@pytest.mark.parametrize("rule", [conv2d, depthwise])
def test_layers(rule: Callable[..., Callable[[Net, str], str]], layer: str, source: str) -> None:
    shape, window = (6, 7, 5), Window((3, 3), (2, 2), (1, 1), (0, 1, 1, 1))
    build = rule(window, LAYERS_UNDER_TEST[layer])
    for tighter in (0, 2):
        check_dx(make_case(build, shape, made_by=SOURCES[source]), tighter)
    check_updates(make_case(build, shape, made_by=SOURCES[source]))


@pytest.mark.parametrize("layer", LAYERS_UNDER_TEST)
@pytest.mark.parametrize("name", ["3x3 same, odd map", "3x3 stride 2, asymmetric padding"])
def test_groups_and_multipliers(name: str, layer: str) -> None:
    (height, width, _), window = WINDOWS[name]
    under_test = LAYERS_UNDER_TEST[layer]
    for build in (grouped(window, under_test), depthwise(window, under_test, multiplier=4)):
        for tighter in (0, 2):
            check_dx(make_case(build, (height, width, 6)), tighter)
        check_updates(make_case(build, (height, width, 6)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 37), (4, 3, 10)])
@pytest.mark.parametrize("layer", LAYERS_UNDER_TEST)
def test_fully_connected(layer: str, shape: tuple[int, int, int]) -> None:
    case = make_case(lambda net, x: net.fully_connected(x, 7, LAYERS_UNDER_TEST[layer]), shape)
    check_dx(case)
    check_updates(case)


@pytest.mark.parametrize(("kernel", "out", "q"), [(1, 1032, 0), (3, 120, 1), (5, 200, 3)])
def test_sums_beyond_the_exact_number_of_terms(kernel: int, out: int, q: int) -> None:
    case = make_case(conv2d(same((6, 5), kernel), Layer(), out), (6, 5, 2))
    assert case.machine.environment.descent(case.node).ratio_shift == q
    check_dx(case)


@pytest.mark.parametrize("rule", [conv2d, depthwise])
def test_stochastic_rounding_is_unbiased(
    rule: Callable[..., Callable[[Net, str], str]],
) -> None:
    check_updates(make_case(rule(same((4, 3), 3), DEAD), (4, 3, 4)), seeds=400)


@pytest.mark.parametrize("name", EXTREME_WINDOWS)
@pytest.mark.parametrize("rule", [conv2d, depthwise, grouped_alike])
def test_extreme_geometry(name: str, rule: Callable[..., Callable[[Net, str], str]]) -> None:
    """A layer of 200 outputs makes K large wherever the shapes allow it."""
    (height, width, channels), window = EXTREME_WINDOWS[name]
    case = make_case(rule(window, Layer()), (height, width, channels))
    check_dx(case)
    check_updates(case)


def test_fully_connected_of_200_x_200_rows() -> None:
    case = make_case(lambda net, x: net.fully_connected(x, 3, Layer()), (200, 200, 2))
    check_dx(case)
    check_updates(case)


# A map, a window, and the most pairs of a tap and an output position that read one input position.
COVERS = {
    "global": ((200, 200), Window((200, 200)), 1),
    "global with padding": ((3, 3), Window((5, 5), (1, 1), (1, 1), (1, 1, 1, 1)), 1),
    "3x3 same": ((8, 8), same((8, 8), 3), 9),
    "3x3 same on 2x2": ((2, 2), same((2, 2), 3), 4),
    "3x3 stride 2": ((9, 9), Window((3, 3), (2, 2)), 4),
    "3x3 stride 2 on 4x4": ((4, 4), Window((3, 3), (2, 2)), 1),
    "2x3 stride 2x4": ((8, 9), Window((2, 3), (2, 4)), 1),
    "3x3 dilation 2, stride 2": ((9, 9), Window((3, 3), (2, 2), (2, 2)), 9),
    "3x3 dilation 3, stride 2": ((14, 14), Window((3, 3), (2, 2), (3, 3)), 4),
    "2x2 with padding": ((2, 2), Window((2, 2), (1, 1), (1, 1), (1, 1, 1, 1)), 4),
    "overlap in the padding only": ((1, 1), Window((2, 1), (1, 1), (1, 1), (0, 0, 3, 0)), 1),
}


@pytest.mark.parametrize("name", COVERS)
def test_cover(name: str) -> None:
    """By the compiler, and by the reference."""
    sides, window, expected = COVERS[name]
    net = Net(np.random.default_rng(1))
    y = net.conv2d(net.input((*sides, 1)), 1, window)
    graph, (node, *_) = net.graph(y), net.graph(y).nodes
    assert compiler_constants.cover(graph, node) == expected
    height, width, _ = graph.tensors[y].shape
    assert constants.cover(Sliding(window, sides, (height, width))) == expected


# ---- Operators without weights -------------------------------------------------------------------


@pytest.mark.parametrize("tighter", [0, 3])
@pytest.mark.parametrize("name", POOLS)
def test_average_pool(name: str, tighter: int) -> None:
    shape, window = POOLS[name]
    check_dx(make_case(lambda net, x: net.pool("average_pool", x, window), shape), tighter)


@pytest.mark.parametrize("op", ["average_pool", "max_pool"])
@pytest.mark.parametrize("name", LARGE_POOLS)
def test_large_pools(name: str, op: str) -> None:
    shape, window = LARGE_POOLS[name]
    case = make_case(lambda net, x: net.pool(op, x, window), shape)
    if op == "max_pool":  # of elements at the bound, all of them largest, the mask passes none
        case.machine.values[case.x] = np.clip(case.machine.values[case.x], -127, 126)
    check_dx(case)
    if name.startswith(("global", "rows")):
        assert 0.99 < norm_of_dx(case) / np.linalg.norm(case.autograd()[0]) < 1.01


def norm_of_dx(case: Case) -> float:
    """Of dx at an exponent that leaves it seven bits."""
    e_dx = exponent_for(case.autograd()[0])
    return float(np.linalg.norm(case.machine.values[case.run(e_dx)] * 2.0**e_dx))


@pytest.mark.parametrize("side", [1, 8, 28, 56, 64, 80, 128, 200, 255])
def test_mean_and_average_pool_of_one_map_agree(side: int) -> None:
    shape = (side, side, 1)
    pooled = make_case(lambda net, x: net.pool("average_pool", x, Window((side, side))), shape)
    mean = make_case(lambda net, x: net.mean(x, (0, 1)), shape)
    mean.machine.values[mean.x] = pooled.machine.values[pooled.x]
    mean.dy, mean.e_dy = pooled.dy.reshape(mean.dy.shape), pooled.e_dy
    e_dx = exponent_for(mean.autograd()[0])
    results = [c.machine.values[c.run(e_dx)].reshape(shape) for c in (pooled, mean)]
    assert np.abs(results[0] - results[1]).max() <= 1
    assert 60 < np.abs(results[0]).max() < 128


@pytest.mark.parametrize("side", [1, 200, 255])
def test_mean_over_large_maps(side: int) -> None:
    check_dx(make_case(lambda net, x: net.mean(x, (0, 1)), (side, side, 2)))


@pytest.mark.parametrize("clip", [Clip(), Clip(-30, 20)])
@pytest.mark.parametrize("name", MAX_POOLS)
def test_max_pool(name: str, clip: Clip) -> None:
    shape, window = MAX_POOLS[name]
    for tighter in (0, 3):
        check_dx(make_case(lambda net, x: net.pool("max_pool", x, window, clip), shape), tighter)


@pytest.mark.parametrize("values", [1, 2, 3])
@pytest.mark.parametrize("name", MAX_POOLS)
def test_max_pool_with_ties(name: str, values: int) -> None:
    """Where elements are equal, all of them even, the first by rows takes the gradient."""
    shape, window = MAX_POOLS[name]
    case = make_case(lambda net, x: net.pool("max_pool", x, window), shape)
    case.machine.values[case.x] = np.random.default_rng(values).integers(-5, values - 5, shape)
    check_dx(case)


@pytest.mark.parametrize("zero", [-128, -30, 127])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, source: str, zero: int) -> None:
    """Over the whole range of x, its own zero point and the output's at both ends."""

    def build(net: Net, x: str) -> str:
        return net.function(x, name, zero)

    for tighter in (0, 2):
        check_dx(make_case(build, (7, 6, 12), made_by=SOURCES[source]), tighter)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("role", ["x0", "x1", "x2"])
def test_concatenate(role: str, axis: int) -> None:
    """X with two more maps, in any position and of any other length along the axis."""
    shape = (5, 4, 3)

    def build(net: Net, x: str) -> str:
        parts = [_longer(net, shape, axis, by) for by in (1, 2)]
        parts.insert(int(role[1:]), x)
        return net.concatenate(parts, axis)

    for tighter in (0, 3):
        check_dx(make_case(build, shape, role=role), tighter)


def _longer(net: Net, shape: tuple[int, int, int], axis: int, by: int) -> str:
    """A map made of the network's input, as large as `shape` but along the axis."""
    height, width, channels = (by * (d == axis) for d in range(3))
    padded = net.pad("x", (0, 0, 0), (height, width, 0))
    return net.conv2d(padded, shape[2] + channels, Window((1, 1)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_transpose(order: tuple[int, ...]) -> None:
    for tighter in (0, 3):
        check_dx(make_case(lambda net, x: net.transpose(x, order), (5, 4, 3)), tighter)


PRODUCTS = {"one shape": (5, 4, 3), "a row of rows": (1, 4, 3), "one per channel": (1, 1, 3)}


def product(row: tuple[int, int, int], role: str) -> Callable[[Net, str], str]:
    """X in its role times a map, or one made of the network's input times x."""
    whole = (5, 4, 3)

    def build(net: Net, x: str) -> str:
        shape = row if role == "a" else whole
        grown = [n - i for n, i in zip(shape, net.tensors["x"].shape, strict=True)]
        after = tuple(max(n, 0) for n in grown[:2])
        padded = net.pad("x", (0, 0, 0), (*after, 0))
        cut = net.pool("max_pool", padded, Window((1 - min(grown[0], 0), 1 - min(grown[1], 0))))
        other = net.conv2d(cut, shape[2], Window((1, 1)), Layer(zero=-90))
        return net.mul(x, other) if role == "a" else net.mul(other, x)

    return build


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("role", ["a", "b"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_mul(name: str, role: str, source: str) -> None:
    row = PRODUCTS[name]
    for tighter in (0, 3):
        shape = (5, 4, 3) if role == "a" else row
        check_dx(make_case(product(row, role), shape, made_by=SOURCES[source], role=role), tighter)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("source", SOURCES)
def test_prelu(source: str, axes: int) -> None:
    """Slopes for each channel, for a row, or for each element."""
    for tighter in (0, 3):
        build = partial(Net.prelu, axes=axes)
        check_dx(make_case(build, (5, 4, 3), made_by=SOURCES[source]), tighter)


def test_the_slope_at_zero_is_that_of_negative_numbers() -> None:
    case = make_case(Net.prelu, (7, 6, 5))
    quant = case.machine.graph.tensors[case.x].quant
    assert quant is not None
    case.machine.values[case.x][:] = quant.zero
    check_dx(case)


def chosen(op: str, role: str) -> Callable[[Net, str], str]:
    """Of x, in its role, and a map made of the network's input in the unit of x."""

    def build(net: Net, x: str) -> str:
        other = net.coded_as(net.conv2d("x", net.tensors[x].shape[2], Window((1, 1))), x)
        return net.minimum(x, other, op) if role == "a" else net.minimum(other, x, op)

    return build


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("role", ["a", "b"])
@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_minimum(op: str, role: str, source: str) -> None:
    for tighter in (0, 3):
        case = make_case(chosen(op, role), (7, 6, 5), made_by=SOURCES[source], role=role)
        check_dx(case, tighter)


@pytest.mark.parametrize("values", [1, 2, 3])
@pytest.mark.parametrize("role", ["a", "b"])
@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_minimum_with_ties(op: str, role: str, values: int) -> None:
    """Where elements are equal, all of them even, the first operand takes the gradient."""
    case = make_case(chosen(op, role), (7, 6, 5), role=role)
    fill(case, values)
    check_dx(case)


def fill(case: Case, values: int) -> None:
    """Both operands anew, of so many different numbers, and what the node makes of them."""
    rng = np.random.default_rng(values)
    for tensor in case.node.inputs.values():
        case.machine.values[tensor] = rng.integers(-5, values - 5, (7, 6, 5))
    operators.OPERATORS[case.node.op](case.machine.environment, case.node)


@pytest.mark.parametrize("beta", [1.0, 0.4, 3.0])
@pytest.mark.parametrize("shape", [(4, 5, 2), (3, 2, 10), (2, 2, 40)])
def test_softmax(shape: tuple[int, int, int], beta: float) -> None:
    for tighter in (0, 2):
        check_dx(make_case(lambda net, x: net.softmax(x, beta), shape), tighter)


@pytest.mark.parametrize("axes", [(0, 1), (0,), (1,), (2,), (1, 2)])
def test_mean(axes: tuple[int, ...]) -> None:
    check_dx(make_case(lambda net, x: net.mean(x, axes), (5, 3, 4)))


@pytest.mark.parametrize("after", [(0, 0, 0), (2, 1, 3)])
def test_pad(after: tuple[int, int, int]) -> None:
    check_dx(make_case(lambda net, x: net.pad(x, (1, 0, 2), after), (4, 3, 5)))


HALVES = Steps(1, 1, 2)
TAKEN: dict[str, tuple[tuple[int, int, int], tuple[Steps, Steps, Steps]]] = {
    "slice": ((2, 2, 3), (Steps(1), Steps(1), Steps(2))),
    "every second": ((2, 2, 3), (Steps(0, 2), Steps(0, 2), Steps(0, 2))),
    "enlarged": ((7, 5, 9), (HALVES, HALVES, HALVES)),
    "uneven": ((6, 2, 5), (Steps(2, 3, 5), Steps(1, 4, 3), Steps())),
    "repeated": ((9, 9, 5), (Steps(0, 1, 9), Steps(1, 1, 9), Steps())),
}


@pytest.mark.parametrize("name", TAKEN)
def test_take(name: str) -> None:
    shape, steps = TAKEN[name]
    for tighter in (0, 2):
        check_dx(make_case(lambda net, x: net.take(x, shape, *steps), (4, 3, 5)), tighter)


def subtracted(role: str) -> Callable[[Net, str], str]:
    """The difference of x, in its role, and a map of its shape."""

    def build(net: Net, x: str) -> str:
        other = net.conv2d("x", net.tensors[x].shape[2], POINT, Layer(zero=-90))
        return net.sub(x, other) if role == "a" else net.sub(other, x)

    return build


def gated(role: str) -> Callable[[Net, str], str]:
    """The product of x, in its role, and a map of its shape."""

    def build(net: Net, x: str) -> str:
        other = net.conv2d("x", net.tensors[x].shape[2], POINT, Layer(zero=-90))
        return net.mul(x, other) if role == "a" else net.mul(other, x)

    return build


def channels_scaled(net: Net, x: str) -> str:
    """A map times x, one number per channel: its gradient sums over all rows of the map."""
    other = net.conv2d(net.pad("x", (0, 0, 0), (199, 199, 0)), 2, POINT)
    return net.mul(other, x)


POINT = Window((1, 1))
ELSEWHERE: dict[str, tuple[Callable[[Net, str], str], str]] = {
    "mul by a": (gated("a"), "a"),
    "mul by b": (gated("b"), "b"),
    "sub by b": (subtracted("b"), "b"),
    "prelu": (Net.prelu, "x"),
    "minimum by a": (chosen("minimum", "a"), "a"),
    "maximum by b": (chosen("maximum", "b"), "b"),
    "logistic": (lambda net, x: net.function(x, "logistic"), "x"),
    "softmax": (lambda net, x: net.softmax(x), "x"),
    "concatenate": (lambda net, x: net.concatenate([net.conv2d("x", 3, POINT), x], 2), "x1"),
    "pad": (lambda net, x: net.pad(x, (1, 0, 2), (0, 3, 0)), "x"),
    "take": (lambda net, x: net.take(x, (400, 1, 1), Steps(0, 1, 400), Steps(), Steps(1)), "x"),
    "transpose": (lambda net, x: net.transpose(x, (2, 0, 1)), "x"),
    "mean of rows": (lambda net, x: net.mean(x, (0,)), "x"),
    "mean of channels": (lambda net, x: net.mean(x, (2,)), "x"),
}


@pytest.mark.parametrize("shape", [(1, 1, 2), (200, 200, 2)])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_other_operators_at_extreme_geometry(name: str, shape: tuple[int, int, int]) -> None:
    build, role = ELSEWHERE[name]
    check_dx(make_case(build, shape, role=role))


def test_the_gradient_of_a_factor_of_200_x_200_rows() -> None:
    check_dx(make_case(channels_scaled, (1, 1, 2), role="b"))


# ---- The tests can fail --------------------------------------------------------------------------


def test_an_update_by_x_instead_of_x_minus_zero_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(conv2d(same((5, 4), 3), Layer()), (5, 4, 3), made_by=Layer(zero=40))

    def raw(env, node):  # type: ignore[no-untyped-def]
        return env.get(node, "x").reshape(-1, env.tensor(node, "w").shape[-1])

    monkeypatch.setattr(updating, "_centred", raw)
    with pytest.raises(AssertionError):
        check_updates(case)


def test_a_gradient_without_mask_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(conv2d(same((5, 4), 3), Layer()), (5, 4, 3))
    monkeypatch.setattr(backward, "unpack", lambda _bits, count: np.ones(count, dtype=np.int64))
    with pytest.raises(AssertionError):
        check_dx(case)


def test_a_quantized_gradient_one_step_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(depthwise(same((5, 4), 3), Layer()), (5, 4, 3))
    exact = backward.depthwise
    monkeypatch.setattr(backward, "depthwise", lambda *args: exact(*args) + 1)
    with pytest.raises(AssertionError):
        check_dx(case)


def test_the_last_of_equals_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(lambda net, x: net.pool("max_pool", x, same((5, 4), 3)), (5, 4, 3))
    case.machine.values[case.x] = np.random.default_rng(3).integers(0, 3, (5, 4, 3))
    exact = backward.max_pool
    flip = (slice(None, None, -1), slice(None, None, -1))

    def last(x, dy, *args):  # type: ignore[no-untyped-def]
        return exact(x[flip], dy[flip], *args)[flip]

    monkeypatch.setattr(backward, "max_pool", last)
    with pytest.raises(AssertionError):
        check_dx(case)


@pytest.mark.parametrize("role", ["a", "b"])
def test_a_product_by_the_operand_with_its_zero_point_is_noticed(
    role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(product((1, 1, 3), role), (5, 4, 3) if role == "a" else (1, 1, 3), role=role)
    exact, zero = constants.mul_constants, {"a": "b_zero", "b": "a_zero"}[role]
    monkeypatch.setattr(
        constants, "mul_constants", lambda *args: replace(exact(*args), **{zero: 0})
    )
    with pytest.raises(AssertionError):
        check_dx(case)


def test_a_forgotten_row_of_a_product_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(product((1, 1, 3), "b"), (1, 1, 3), role="b")
    exact = backward.mul_b
    monkeypatch.setattr(
        backward, "mul_b", lambda a, dy, size, *args: exact(a[:-1], dy[:-1], size, *args)
    )
    with pytest.raises(AssertionError):
        check_dx(case)


@pytest.mark.parametrize("role", ["a", "b"])
@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_another_operand_of_equals_is_noticed(
    op: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(chosen(op, role), (7, 6, 5), role=role)
    fill(case, 3)
    exact = backward.chosen

    def last(a, y, index, *args):  # type: ignore[no-untyped-def]
        b = case.machine.values[case.node.inputs["b"]]
        return exact(b, y, 1 - index, *args)

    monkeypatch.setattr(backward, "chosen", last)
    with pytest.raises(AssertionError):
        check_dx(case)


def test_a_softmax_without_the_others_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(lambda net, x: net.softmax(x), (3, 2, 10))
    monkeypatch.setattr(backward, "softmax", lambda y, dy, _, e: scale((y + 128) * dy, 1, e - 8))
    with pytest.raises(AssertionError):
        check_dx(case)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_slope_of_the_next_byte_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(lambda net, x: net.function(x, name), (7, 6, 12), made_by=Layer(zero=0))
    exact = backward.lookup
    monkeypatch.setattr(backward, "lookup", lambda x, *args: exact(x + 1, *args))
    with pytest.raises(AssertionError):
        check_dx(case)


def test_the_part_of_another_input_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(lambda net, x: net.concatenate([x, x], 1), (4, 5, 3), role="x1")
    exact = backward.concatenate
    monkeypatch.setattr(
        backward, "concatenate", lambda dy, axis, _, *args: exact(dy, axis, 0, *args)
    )
    with pytest.raises(AssertionError):
        check_dx(case)
