"""The numpy reference of SPEC 2, 3 and 7 against float arithmetic and examples by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same, sample

from tinyflash import factor as arith
from tinyflash.graph import Clip, Graph, Node, PadAttrs, Quant, Tensor, Window, WindowAttrs
from tinyflash.reference import Machine, constants, forward
from tinyflash.reference.arith import factor_of, ints
from tinyflash.reference.constants import multiplier_of
from tinyflash.reference.windows import Sliding

SMALL = (5, 6, 3)
BUILDS = {
    "conv2d": lambda net, x: net.conv2d(x, 4, same(SMALL, 3, 2), Layer(spread=100)),
    "depthwise": lambda net, x: net.depthwise(x, same(SMALL, 3), Layer()),
    "multiplier": lambda net, x: net.depthwise(x, same(SMALL, 3), Layer(), 2),
    "fully_connected": lambda net, x: net.fully_connected(x, 5),
    "one scale": lambda net, x: net.fully_connected(x, 5, Layer(per_tensor=True, bias=False)),
    "add": lambda net, x: net.add(x, net.conv2d(x, 3, same(SMALL, 1))),
    "mean": lambda net, x: net.mean(x, (0, 1)),
    "average_pool": lambda net, x: net.pool("average_pool", x, same(SMALL, 3)),
    "softmax": lambda net, x: net.softmax(x),
}


def real(graph: Graph, tensor: str, stored: np.ndarray) -> np.ndarray:
    quant = graph.tensors[tensor].quant
    assert quant is not None
    return (stored - quant.zero) * quant.scale[0]


def float_of(machine: Machine, node: Node) -> np.ndarray:
    """A node's output in real numbers, from its stored inputs, before its clip."""
    graph, values = machine.graph, machine.values
    inputs = {
        r: real(graph, t, values[t])
        for r, t in node.inputs.items()
        if r in ("x", "a", "b") and graph.tensors[t].dtype == "int8"
    }
    match node.op:
        case "add":
            return inputs["a"] + inputs["b"]
        case "mean":
            return inputs["x"].mean(axis=(0, 1))
        case "softmax":
            e = np.exp(inputs["x"] - inputs["x"].max(axis=-1, keepdims=True))
            return e / e.sum(axis=-1, keepdims=True)
        case "average_pool":
            sliding = machine.environment.sliding(node)
            mean = _naive(sliding, inputs["x"], lambda _, __, x: x)
            return mean / sliding.counts()[..., None]
    w = machine.environment.weights(node) * _by_channel(machine, node)
    bias = 0.0
    if "b" in node.inputs:
        s_w = np.array(constants.weight_scales(graph, node))
        s_x = constants.scale_of(graph.tensors[node.inputs["x"]])
        bias = values[node.inputs["b"]] * s_w * s_x
    if node.op == "fully_connected":
        return inputs["x"] @ w.T + bias
    sliding = machine.environment.sliding(node)
    if node.op == "conv2d":
        return _naive(sliding, inputs["x"], lambda ky, kx, x: w[:, ky, kx] @ x) + bias
    repeat = w.shape[2] // inputs["x"].shape[2]
    return _naive(sliding, inputs["x"], lambda ky, kx, x: w[ky, kx] * np.repeat(x, repeat)) + bias


def _by_channel(machine: Machine, node: Node) -> np.ndarray:
    scales = np.array(constants.weight_scales(machine.graph, node))
    dimensions = machine.environment.weights(node).ndim
    return scales if node.op == "depthwise" else scales.reshape(-1, *[1] * (dimensions - 1))


def _naive(sliding: Sliding, x: np.ndarray, term) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The sum over each window of a term by (ky, kx, x at that position), loop by loop."""
    w, rows = sliding.window, []
    for oy in range(sliding.y[0]):
        for ox in range(sliding.y[1]):
            total = 0.0
            for ky in range(w.kernel[0]):
                for kx in range(w.kernel[1]):
                    iy = oy * w.stride[0] - w.padding[0] + ky * w.dilation[0]
                    ix = ox * w.stride[1] - w.padding[1] + kx * w.dilation[1]
                    if 0 <= iy < sliding.x[0] and 0 <= ix < sliding.x[1]:
                        total = total + term(ky, kx, x[iy, ix])
            rows.append(total)
    return np.array(rows).reshape(*sliding.y, -1)


@pytest.mark.parametrize("name", BUILDS)
def test_operators_round_the_real_result(name: str) -> None:
    net = Net(np.random.default_rng(7))
    y = BUILDS[name](net, net.input(SMALL))
    graph = net.graph(y)
    machine = Machine(graph)
    stored = machine.infer(sample(graph, net.rng))
    quant = graph.tensors[y].quant
    assert quant is not None
    exact = float_of(machine, graph.nodes[-1]).ravel() / quant.scale[0] + quant.zero
    # Half a unit, and what the second rounding of SPEC 1.2 or the table of 3.4 may add.
    assert np.abs(stored - np.clip(exact, -128, 127)).max() < 0.51
    assert stored.std() > 0.5


def test_average_pool_rounds_away_from_zero_and_counts_what_is_inside() -> None:
    x = ints([[3], [-4], [-4], [4]]).reshape(4, 1, 1)
    window = Window((2, 1), (1, 1), (1, 1), (1, 0, 1, 0))
    y = forward.average_pool(x, Sliding(window, (4, 1), (5, 1)), Clip(-128, 2))
    assert y.ravel().tolist() == [2, -1, -4, 0, 2]  # 3 and 4 clipped; -0.5 goes to -1


def test_max_pool_takes_the_largest_inside() -> None:
    x = ints([[-128, -9, 5]]).reshape(1, 3, 1)
    window = Window((1, 2), (1, 1), (1, 1), (0, 1, 0, 1))
    y = forward.max_pool(x, Sliding(window, (1, 3), (1, 4)), Clip(-100, 4))
    assert y.ravel().tolist() == [-100, -9, 4, 4]


def test_pad_and_lookup_move_bytes() -> None:
    x = ints([[[1, 2]]])
    assert forward.pad(x, PadAttrs((0, 1, 0), (0, 0, 1), -5)).tolist() == [[[-5] * 3, [1, 2, -5]]]
    table = ints(np.arange(256) // 2)
    assert forward.lookup(ints([0, 127, -128, -1]), table).tolist() == [0, 63, 64, 127]


# ---- Constants: SPEC 7, 4.1, 6.2, 6.5, 6.6 -------------------------------------------------------


def test_the_compiler_computes_the_same_constants() -> None:
    draw = random.Random(3)
    edges = [1.0, 1 - 2.0**-17, 1 - 2.0**-40, 2.0**-33, 2.0**-32, 2.0**-31 * 1.999999]
    for number in [*edges, *(10 ** draw.uniform(-9, 9) for _ in range(3000))]:
        assert factor_of(number) == arith.factor(number)
        if number < 2**29:
            assert multiplier_of(number) == arith.multiplier(number)


def layer_graph(scales: tuple[float, ...], window: Window, channels: int = 2) -> Graph:
    """One convolution with these weight scales, input scale 0.5, output scale 0.25."""
    out = len(scales)
    w = np.ones((out, *window.kernel, channels), np.int8)
    tensors = [
        Tensor("x", (8, 8, channels), "int8", "activation", Quant((0.5,), -3)),
        Tensor("w", w.shape, "int8", "trainable", Quant(scales), w),
        Tensor("y", (4, 4, out), "int8", "activation", Quant((0.25,), 4)),
    ]
    node = Node("conv2d", "layer", {"x": "x", "w": "w"}, {"y": "y"}, WindowAttrs(window))
    return Graph("g", {t.name: t for t in tensors}, (node,), None, None)  # type: ignore[arg-type]


def test_descent_of_a_layer_by_hand() -> None:
    graph = layer_graph((0.25, 0.125, 0.25 / 1024, 0.25 / 1025), Window((3, 5), (2, 2)))
    k = constants.descent(graph, graph.nodes[0])
    assert k.ratio.tolist() == [32767, 16384, 32, 32]
    assert k.ratio_shift == 0
    assert (k.factor.mantissa.tolist(), k.factor.exponent.tolist()) == ([2**15], [-15 - 2 - 7])
    assert k.w_rate.mantissa.tolist() == [2**15, 2**15, 2**15, 0]  # 2, 4, 2048, dead
    assert k.w_rate.exponent.tolist() == [-14, -13, -4, 0]
    assert k.b_rate.exponent.tolist() == [-15 + 3, -15 + 4, -15 + 13, 0]
    assert k.b_limit == 2**31 - 2**8 - 255 * 128 * 30  # the largest shift is 0


@pytest.mark.parametrize(
    ("window", "q"),
    [
        (Window((1, 1)), 0),
        (Window((2, 2), (2, 2)), 0),
        (Window((3, 3), (3, 3)), 0),
        (Window((3, 3), (2, 2)), 2),  # 4 windows meet an element
        (Window((3, 3)), 4),
        (Window((3, 3), (2, 2), (2, 2)), 4),  # taps 2 apart, strides of 2: as 3x3 without either
    ],
)
def test_ratio_shift_by_the_terms_of_a_sum(window: Window, q: int) -> None:
    graph = layer_graph((0.1,) * 1032, window)
    assert constants.descent(graph, graph.nodes[0]).ratio_shift == q


def test_mean_folds_the_count_into_its_multiplier() -> None:
    x, y = (Tensor(n, (1,), "int8", "activation", Quant((s,))) for n, s in (("x", 0.5), ("y", 0.5)))
    k = constants.mean_constants(x, y, 6)
    assert math.isclose(k.multiplier * 2.0 ** (k.shift - 31), 1 / 6, rel_tol=2**-29)
    assert k.multiplier == (2**30 << 2) // 6
