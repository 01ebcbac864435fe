"""Each precondition of SPEC 10: a little graph at the bound passes, one beyond it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same
from tests.support.models import File

from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.constants import bias_limit, dead_channels
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.preconditions import (
    OF_PROGRAMS,
    PRECONDITIONS,
    check_preconditions,
    check_program,
)
from tinyflash.errors import ModelError, SchemeError, TinyflashError
from tinyflash.factor import multiplier
from tinyflash.graph import (
    AdvanceAttrs,
    Clip,
    ClipAttrs,
    Graph,
    PadAttrs,
    Quant,
    SoftmaxAttrs,
    Steps,
    Taken,
    Window,
)
from tinyflash.paths import source_root
from tinyflash.program import Program
from tinyflash.read import read
from tinyflash.reference.constants import descent
from tinyflash.scheme import parse_scheme
from tinyflash.scheme.loss import Loss, LossName

ALL = parse_scheme("[[update]]\nweights = 1\nbias = true\n")
POINT = Window((1, 1))
Build = Callable[[], Graph]


# ---- Little graphs -------------------------------------------------------------------------------


def net() -> Net:
    return Net(np.random.default_rng(1))


def after_input(shape: tuple[int, ...], build: Callable[[Net, str], str]) -> Graph:
    n = net()
    return n.graph(build(n, n.input(shape)))


def trained(graph: Graph) -> Graph:
    return training_graph(prepare(graph, ALL))


def with_gradients(graph: Graph, **rest: Any) -> Graph:
    return differentiate(graph, **rest)


def changed(graph: Graph, op: str, **fields: Any) -> Graph:
    """The graph with other fields in every node of an operator."""
    nodes = (replace(n, **fields) if n.op == op else n for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def coded(graph: Graph, op: str, role: str, scale: float, zero: int = 0) -> Graph:
    """The graph with another scale in a tensor of the first node of an operator."""
    node = next(n for n in graph.nodes if n.op == op)
    name = {**node.inputs, **node.outputs}[role]
    quant = Quant((float(np.float32(scale)),), zero)
    tensor = replace(graph.tensors[name], quant=quant)
    return replace(graph, tensors={**graph.tensors, name: tensor})


def holding(graph: Graph, tensor: str, data: np.ndarray) -> Graph:
    found = replace(graph.tensors[tensor], data=data)
    return replace(graph, tensors={**graph.tensors, tensor: found})


def dense(inputs: int, outputs: int = 1, layer: Layer = Layer()) -> Graph:  # noqa: B008
    return after_input((inputs,), lambda n, x: n.fully_connected(x, outputs, layer))


def dense_of_weight(
    weight: int, bias: int, shift: int, inputs: int = 1, trains: bool = False
) -> Graph:
    """One output; all weights alike. Its multiplier is 2^(shift - 1), and x lies in [-255, 0]."""
    graph = dense(inputs, 1, Layer(per_tensor=True))
    node = graph.nodes[0]
    graph = coded(graph, "fully_connected", "x", 1.0, 127)
    graph = coded(graph, "fully_connected", "w_frozen", 1.0)
    graph = coded(graph, "fully_connected", "y", 2.0 ** (1 - shift))
    assert multiplier(2.0 ** (shift - 1)) == (2**30, shift)
    w = np.full((1, inputs), weight, np.int8)
    graph = holding(graph, node.inputs["w_frozen"], w)
    graph = holding(graph, node.inputs["b"], np.array([bias], np.int32))
    return trained(graph) if trains else graph


def biased(beyond: int, dead: int = 0) -> Graph:
    """Of several channels, that of a dead one is the largest."""
    graph = dense(7, 1 + dead, Layer(dead=dead))
    layer = graph.nodes[0]
    biases = np.zeros(1 + dead, np.int32)
    biases[dead_channels(graph, layer).index(dead > 0)] = -bias_limit(graph, layer) - beyond
    return trained(holding(graph, layer.inputs["b"], biases))


def pool(size: int, window: Window) -> Graph:
    return with_gradients(
        after_input(
            (size, size, 1),
            lambda n, x: n.pool("average_pool", n.conv2d(x, 1, POINT), window),
        )
    )


def mean(count: int, shift: int | None = None) -> Graph:
    """Over `count` numbers in [-255, 0] above their zero point."""
    graph = after_input((count, 1, 1), lambda n, x: n.mean(x, (0,)))
    graph = coded(graph, "mean", "x", 1.0, 127)
    return graph if shift is None else coded(graph, "mean", "y", 2.0 ** (1 - shift))


def product_of_rows(count: int) -> Graph:
    n = net()
    a = n.fully_connected(n.input((count, 1)), 1)
    row = n.fully_connected(n.mean(a, (0,)), 1)
    return with_gradients(n.graph(n.fully_connected(n.mean(n.mul(a, row), (0,)), 2)))


def taken(steps: Steps, count: int) -> Graph:
    """Of a map of 65,535 rows."""
    shape, whole = (count, 1, 1), Steps()
    return after_input((65535, 1, 1), lambda n, x: n.take(x, shape, steps, whole, whole))


def repeated(height: int, width: int) -> Graph:
    n = net()
    x = n.conv2d(n.input((1, 1, 1)), 1, POINT)
    y = n.take(x, (height, width, 1), Steps(0, 1, height), Steps(0, 1, width), Steps())
    return with_gradients(n.graph(n.pool("max_pool", y, Window((1, 1), (255, 255)))))


def sloped(alpha: float, y: float) -> Graph:
    """Slopes of scale alpha, of an x of scale 1."""
    graph = after_input((2, 2, 3), lambda n, x: n.prelu(x))
    for role, scale in (("x", 1.0), ("alpha", alpha), ("y", y)):
        graph = coded(graph, "prelu", role, scale)
    return graph


def sums_of(op: str, y: float) -> Graph:
    def build(n: Net, x: str) -> str:
        return getattr(n, op)(x, x)

    graph = after_input((2, 2, 1), build)
    return coded(coded(graph, op, "a", 1.0), op, "y", y)


def logarithms(classes: int) -> Graph:
    return after_input((classes,), lambda n, x: n.log_softmax(x))


def softmax(classes: int) -> Graph:
    return after_input((classes,), lambda n, x: n.softmax(x))


def with_table(first: int, last: int) -> Graph:
    graph = softmax(3)
    table = np.zeros(256, np.int32)
    table[0], table[-1] = first, last
    return holding(graph, graph.nodes[0].inputs["table"], table)


def slope(number: float) -> Graph:
    graph = with_gradients(
        after_input((2, 2, 1), lambda n, x: n.function(n.conv2d(x, 1, POINT), "mul"))
    )
    node = next(n for n in graph.nodes if n.op == "lookup")
    return changed(graph, "lookup", attrs=replace(node.attrs, alpha=number))


def rule(op: str = "bias_update", **fields: Any) -> Graph:
    graph = trained(dense(3))
    node = next(n for n in graph.nodes if n.op == op)
    return changed(graph, op, descent=replace(node.descent, **fields))


def target(outputs: int, kind: LossName = "mean_squared_error", scale: float = 0.1) -> Graph:
    graph = coded(dense(1, outputs, Layer(bias=False)), "fully_connected", "y", scale)
    graph = coded(graph, "fully_connected", "x", min(scale, 1.0))
    return with_gradients(graph, loss=Loss(kind))


def transpose(*shape: int) -> Graph:
    order = tuple(reversed(range(len(shape))))
    return after_input(shape, lambda n, x: n.transpose(x, order))


def headroom(bits: int) -> Graph:
    return changed(trained(dense(3)), "advance", attrs=AdvanceAttrs(bits))


def rows(count: int) -> Graph:
    return after_input((count, 1, 1), lambda n, x: n.lookup(x))


def wide(channels: int) -> Graph:
    return after_input((1, 1, channels), lambda n, x: n.pool("max_pool", x, POINT))


def kernel(size: int) -> Graph:
    return after_input((1, size, 1), lambda n, x: n.depthwise(x, Window((1, size))))


def shifted(top: int) -> Graph:
    window = Window((1, 1), (1, 1), (1, 1), (top, 0, 0, 0))
    return after_input((3, 3, 1), lambda n, x: n.conv2d(x, 1, window))


def positions(height: int, width: int, op: str) -> Graph:
    """A layer that computes a map of these sides, before a classifier of its mean."""

    def build(n: Net, x: str) -> str:
        if op == "fully_connected":
            y = n.fully_connected(x, 1)
        elif op == "depthwise":
            y = n.depthwise(x, same((height, width), 3))
        else:
            y = n.conv2d(x, 1, same((height, width), 3))
        return n.fully_connected(n.mean(y, tuple(range(len(n.tensors[y].shape) - 1))), 2)

    flat = op == "fully_connected" and width == 1
    return trained(after_input((height, 1) if flat else (height, width, 1), build))


def elements(count: int) -> Graph:
    """A lookup of so many elements, by their shape alone."""
    graph = rows(1)
    maps = {
        t.name: replace(t, shape=(1, 1, count)) for t in graph.tensors.values() if t.data is None
    }
    return replace(graph, tensors={**graph.tensors, **maps})


def readers(outputs: int, kernel: int = 1) -> Graph:
    """The gradient of a layer in which each input has so many readers times kernel * kernel."""

    def build(n: Net, x: str) -> str:
        if kernel > 1:
            y = n.conv2d(n.conv2d(x, 1, POINT), outputs, Window((kernel, kernel)))
            return n.mean(y, (0, 1))
        y = n.fully_connected(n.fully_connected(n.mean(x, (0, 1)), 1), outputs)
        return n.mean(n.reshape(y, (1, outputs, 1)), (0, 1))

    return with_gradients(after_input((5, 5, 1), build))


def multiplied(multiplier: int, kernel: int) -> Graph:
    """The gradient of a depthwise layer of one input channel, all windows on a position."""

    def build(n: Net, x: str) -> str:
        window = Window((kernel, kernel), (1, 1), (1, 1), (254, 254, 254, 254))
        return n.mean(n.depthwise(n.conv2d(x, 1, POINT), window, multiplier=multiplier), (0, 1))

    return with_gradients(after_input((1, 1, 1), build))


MOVES = (
    "average_pool",
    "max_pool",
    "transpose",
    "reshape",
    "concatenate",
    "take",
    "minimum",
    "maximum",
)


def padded_pool(op: str, top: int, stride: int = 2) -> Graph:
    """A pool of 3x1 over a map of 4x1: three windows, `stride` apart, from `top` above it on."""
    window = Window((3, 1), (stride, 1), (1, 1), (top, 0, 9, 0))
    graph = after_input((4, 1, 1), lambda n, x: n.pool(op, x, window))
    y = replace(graph.tensors[graph.nodes[0].outputs["y"]], shape=(3, 1, 1))
    return replace(graph, tensors={**graph.tensors, y.name: y})


def moved(op: str) -> Graph:
    def build(n: Net, x: str) -> str:
        if op.endswith("_pool"):
            return n.pool(op, x, POINT)
        if op == "concatenate":
            return n.concatenate([x, x], 0)
        if op == "pad":
            return n.pad(x, (1, 0, 0), (0, 0, 0))
        if op == "take":
            return n.take(x, (2, 2, 1), Steps(), Steps(), Steps())
        if op == "transpose":
            return n.transpose(x, (1, 0, 2))
        return n.reshape(x, (4,)) if op == "reshape" else n.minimum(x, x, op)

    return after_input((2, 2, 1), build)


def recoded(op: str) -> Graph:
    return coded(moved(op), op, "y", 0.5)


def clipped(low: int, high: int) -> Graph:
    graph = after_input((2, 2, 1), lambda n, x: n.add(x, x))
    return changed(graph, "add", attrs=ClipAttrs(Clip(low, high)))


def filled(value: int) -> Graph:
    return changed(moved("pad"), "pad", attrs=PadAttrs((1, 0, 0), (0, 0, 0), value))


def softmax_of(beta: float) -> Graph:
    return changed(softmax(3), "softmax", attrs=SoftmaxAttrs(beta))


def numbered(op: str, largest: int) -> Graph:
    """Two outputs, with other numbers in the source."""
    graph = trained(dense(3, 2))
    node = next(n for n in graph.nodes if n.op == op)
    name = node.inputs["b" if op == "bias_update" else "w"]
    tensor = replace(graph.tensors[name], taken=Taken((7, largest)))
    return replace(graph, tensors={**graph.tensors, name: tensor})


def smoothed(share: float) -> Graph:
    return with_gradients(dense(1, 3), loss=Loss(smoothing=share))


def gradients(count: int) -> Graph:
    """A training graph in which one loss is there often enough for that many gradients."""
    graph = trained(dense(3))
    (loss,) = (n for n in graph.nodes if "softmax_loss" in n.op)
    return replace(graph, nodes=(*(n for n in graph.nodes if n.op == "advance"), *[loss] * count))


# Largest sums of int8 weights -128 and x in [-255, 0]: 32,640 each.
LIMIT_10 = 2**21 - 2**8  # L for a shift of 10
# By number of SPEC 10: graphs at the bound, and graphs beyond it.
CASES: dict[str, list[tuple[Build, Build]]] = {
    "10.1": [(lambda: rows(65535), lambda: rows(65536))],
    "10.2": [(lambda: wide(65535), lambda: wide(65536))],
    "10.3": [
        (lambda: kernel(255), lambda: kernel(256)),
        (lambda: shifted(0), lambda: shifted(-1)),
    ],
    "10.4": [
        (lambda: transpose(1, 2, 1, 2), lambda: transpose(1, 1, 2, 1, 2)),
        (lambda: transpose(2, 65535), lambda: transpose(2, 65536)),
    ],
    "10.5": [(lambda: dense(65793), lambda: dense(65794))],
    "10.6": [
        (lambda: dense_of_weight(0, 0, 30), lambda: dense_of_weight(0, 0, 31)),
        (
            lambda: dense_of_weight(-128, LIMIT_10 - 32640, 10),
            lambda: dense_of_weight(-128, LIMIT_10 - 32639, 10),
        ),
        (
            lambda: dense_of_weight(127, 32385 - LIMIT_10, 10),
            lambda: dense_of_weight(127, 32384 - LIMIT_10, 10),
        ),
        (
            lambda: dense_of_weight(0, 0, 10, 64, trains=True),
            lambda: dense_of_weight(0, 0, 10, 65, trains=True),
        ),
        (
            lambda: dense_of_weight(-128, 2**31 - 1 - 32640, -3),
            lambda: dense_of_weight(-128, 2**31 - 32640, -3),
        ),
    ],
    "10.7": [
        (lambda: biased(0), lambda: biased(1)),
        (lambda: biased(0, dead=1), lambda: biased(1, dead=1)),
    ],
    "10.8": [(lambda: sums_of("add", 2.0**-18), lambda: sums_of("add", 2.0**-19))],
    "10.9": [
        (lambda: sums_of("mul", 2.0**-13), lambda: sums_of("mul", 2.0**-14)),
        (lambda: sloped(2.0**-5, 2.0**-18), lambda: sloped(2.0**-4, 2.0**-18)),
        (lambda: sloped(2.0**-10, 2.0**-22), lambda: sloped(2.0**-10, 2.0**-23)),
    ],
    "10.10": [
        (lambda: mean(8_421_504), lambda: mean(8_421_505)),
        (lambda: mean(4, 22), lambda: mean(4, 35)),
    ],
    "10.11": [
        (lambda: softmax(511), lambda: softmax(512)),
        (lambda: logarithms(4095), lambda: logarithms(4096)),
    ],
    "10.12": [
        (lambda: with_table(2**31 - 1, 0), lambda: with_table(2**31 - 2, 0)),
        (lambda: with_table(2**31 - 1, 0), lambda: with_table(2**31 - 1, -1)),
    ],
    "10.13": [(lambda: pool(31, Window((16, 16))), lambda: pool(33, Window((17, 17))))],
    "10.14": [(lambda: slope(-1.999), lambda: slope(-2.0))],
    "10.15": [(lambda: product_of_rows(66311), lambda: product_of_rows(66312))],
    "10.16": [
        (
            lambda: positions(7, 9473, "conv2d"),
            lambda: positions(216, 307, "conv2d"),
        ),
        (
            lambda: positions(7, 9473, "depthwise"),
            lambda: positions(216, 307, "depthwise"),
        ),
        (
            lambda: positions(66311, 1, "fully_connected"),
            lambda: positions(66312, 1, "fully_connected"),
        ),
    ],
    "10.17": [
        (lambda: bias_of(16_909_320), lambda: bias_of(16_909_321)),
    ],
    "10.18": [(lambda: rule(rate=1e-130), lambda: rule(rate=1e-160))],
    "10.19": [
        (lambda: rule(every=65535), lambda: rule(every=65536)),
        (lambda: rule(every=1), lambda: rule(every=0)),
        (lambda: rule(momentum=0.999), lambda: rule(momentum=1.0)),
        (lambda: rule(clipped_limit=65535), lambda: rule(clipped_limit=65536)),
        (lambda: rule("fully_connected_update"), lambda: rule("fully_connected_update", every=0)),
    ],
    "10.20": [
        (lambda: with_gradients(dense(1, 65535)), lambda: with_gradients(dense(1, 65536))),
    ],
    "10.21": [
        (lambda: target(65535), lambda: target(65536)),
        (
            lambda: target(65535, "binary_cross_entropy"),
            lambda: target(65536, "binary_cross_entropy"),
        ),
    ],
    "10.22": [
        (lambda: target(1, scale=2.0**-50), lambda: target(1, scale=2.0**-51)),
        (lambda: target(1, scale=2.0**12), lambda: target(1, scale=2.0**13)),
    ],
    "10.23": [(lambda: headroom(6), lambda: headroom(7))],
    "10.24": [(lambda: taken(Steps(0, 65535, 32767), 3), lambda: taken(Steps(0, 65535, 32768), 3))],
    "10.25": [(lambda: repeated(4112, 4112), lambda: repeated(4112, 4113))],
    "10.26": [
        (lambda: padded_pool("average_pool", 2), lambda: padded_pool("average_pool", 3)),
        (lambda: padded_pool("max_pool", 0, 1), lambda: padded_pool("max_pool", 0, 2)),
    ],
    "10.27": [
        *((partial(moved, op), partial(recoded, op)) for op in MOVES),
        (lambda: moved("pad"), lambda: coded(moved("pad"), "pad", "y", 0.03, 5)),
    ],
    "10.28": [
        (lambda: clipped(-128, 127), lambda: clipped(-129, 127)),
        (lambda: clipped(5, 5), lambda: clipped(6, 5)),
        (lambda: filled(127), lambda: filled(128)),
    ],
    "10.29": [
        (lambda: softmax_of(1e-30), lambda: softmax_of(float("inf"))),
        (lambda: softmax_of(1e30), lambda: softmax_of(1e-300)),
    ],
    "10.30": [
        (lambda: numbered("bias_update", 65535), lambda: numbered("bias_update", 65536)),
        (
            lambda: numbered("fully_connected_update", 65535),
            lambda: numbered("fully_connected_update", 65536),
        ),
    ],
    "10.31": [
        (lambda: smoothed(0.99), lambda: smoothed(1.0)),
        (lambda: smoothed(0.0), lambda: smoothed(-0.01)),
    ],
    "10.32": [(lambda: gradients(65535), lambda: gradients(65536))],
    "10.33": [(lambda: elements(2**30), lambda: elements(2**30 + 1))],
    "10.34": [
        (lambda: readers(524_287), lambda: readers(524_288)),
        (lambda: readers(58_254, 3), lambda: readers(58_255, 3)),
        (lambda: multiplied(8, 255), lambda: multiplied(9, 255)),
    ],
    "10.37": [(lambda: judged(66_311), lambda: judged(66_312))],
}


# Of programs: what to change, at the bound and beyond it.
PROGRAMS: dict[str, Callable[[Program, int], Program]] = {
    "10.35": lambda p, beyond: replace(p, arena_bytes=2**30 + beyond),
    "10.36": lambda p, beyond: replace(p, train=p.infer[:1] * (65536 + beyond)),
}


def judged(positions: int) -> Graph:
    """A layer with a map of so many positions."""
    graph = after_input((1, positions, 1), lambda n, x: n.fully_connected(x, 1))
    full = differentiate(graph, judged=[graph.logits])
    node = next(n for n in full.nodes if n.op == "fisher")
    return full.with_nodes([node])


def bias_of(count: int) -> Graph:
    """A bias update that reads `count` gradients, by their shape alone."""
    graph = trained(dense(3))
    node = next(n for n in graph.nodes if n.op == "bias_update")
    dy = replace(graph.tensors[node.inputs["dy"]], shape=(count, 1))
    return replace(graph, tensors={**graph.tensors, dy.name: dy})


PAIRS = [(number, i) for number, pairs in CASES.items() for i in range(len(pairs))]


@pytest.mark.parametrize(("number", "index"), PAIRS)
def test_a_graph_at_the_bound_passes(number: str, index: int) -> None:
    check_preconditions(CASES[number][index][0]())


@pytest.mark.parametrize(("number", "index"), PAIRS)
def test_a_graph_beyond_the_bound_is_refused(number: str, index: int) -> None:
    graph = CASES[number][index][1]()
    expected = next(p for p in PRECONDITIONS if p.number == number)
    with pytest.raises(expected.error, match=rf"^layer \w+: .*\(lib/SPEC.md {number}\)$") as caught:
        check_preconditions(graph)
    assert "\n" not in str(caught.value)


# ---- The list, the table and the cases -----------------------------------------------------------


def test_the_specification_and_the_table_have_the_same_preconditions() -> None:
    text = (source_root() / "lib" / "SPEC.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\*\*(10\.\d+)\*\*", text, re.MULTILINE)
    assert listed == [*(p.number for p in PRECONDITIONS), *OF_PROGRAMS]
    assert listed == [*CASES, *PROGRAMS]


@pytest.mark.parametrize("number", PROGRAMS)
def test_a_program_beyond_a_bound_is_refused(number: str) -> None:
    program = compile_model(dense(3)).program
    check_program(PROGRAMS[number](program, 0))
    with pytest.raises(ModelError, match=rf"^net: .*\(lib/SPEC.md {number}\)$"):
        check_program(PROGRAMS[number](program, 1))


def test_every_operator_of_a_precondition_exists_in_some_graph() -> None:
    """The first graph beyond a bound has a node that the precondition is of."""
    for p in PRECONDITIONS:
        ops = {n.op for _, beyond in CASES[p.number][:1] for n in beyond().nodes}
        assert ops & set(p.operators), p.number


# ---- From outside --------------------------------------------------------------------------------


def refused(graph: Graph, error: type[TinyflashError], text: str, trains: bool = True) -> None:
    with pytest.raises(error, match=text):
        compile_model(graph, ALL if trains else None)


def test_a_convolution_of_700_x_700_positions_is_not_trained() -> None:
    n = net()
    graph = n.graph(
        n.fully_connected(n.mean(n.conv2d(n.input((700, 700, 1)), 1, POINT), (0, 1)), 2)
    )
    refused(graph, ModelError, "layer conv2d_0: is trained on a map of 490,000 positions")
    last = parse_scheme('[[update]]\nlayers = ["fully_connected_2"]\nweights = 1\nbias = true\n')
    compile_model(graph, last)


def test_a_mean_that_shifts_too_far_is_refused() -> None:
    graph = after_input((2, 2, 1), lambda n, x: n.mean(x, (0, 1)))
    graph = coded(coded(graph, "mean", "x", 1.0), "mean", "y", 2.0**-33)
    refused(graph, ModelError, "output scale 1.16e-10 is too small", trains=False)


def test_an_arena_beyond_its_bound_is_refused_before_its_plan_is_checked() -> None:
    n = net()
    graph = n.graph(n.transpose(n.input((65535, 2**14)), (1, 0)))
    refused(graph, ModelError, "^net: ARENA takes 2,147,450,880 bytes; at most", trains=False)


def test_66_000_classes_are_refused() -> None:
    refused(dense(1, 66000), SchemeError, "learns 66,000 classes; at most 65,535")
    compile_model(dense(1, 66000))


def test_rates_without_a_factor_are_refused() -> None:
    scheme = parse_scheme("[[update]]\nlayers = ['fully_connected_0']\nrate = 1e-300\n")
    with pytest.raises(SchemeError, match="1e-300 times the learning rate"):
        compile_model(dense(3, 2), scheme)


def test_no_rounded_result_leaves_int32_with_its_zero_point() -> None:
    """At the bound of 10.6, the largest sum and the largest zero point."""
    limit = 2**31 - 2**8
    for shift in (0, 1, 10, 22):
        largest = 2 ** (31 - shift) - 2**8
        assert 0 < largest << shift < 2**31
        assert (((largest << shift) * (2**31 - 1) + 2**30) >> 31) + 127 < 2**31
    assert limit + 127 < 2**31


@pytest.mark.parametrize("dead", [0, 2])
@pytest.mark.parametrize("gain", [1.0, 30.0, 1e3, 1e5])
def test_compiler_and_reference_have_one_limit_of_biases(gain: float, dead: int) -> None:
    graph = dense(3, 5, Layer(gain=gain, dead=dead))
    node = graph.nodes[0]
    assert bias_limit(graph, node) == descent(graph, node).b_limit


@pytest.mark.parametrize(
    ("op", "number"), [("conv2d", "10.6"), ("add", "10.8"), ("mul", "10.9"), ("prelu", "10.9")]
)
def test_a_file_with_an_absurd_scale_is_refused(op: str, number: str, tmp_path: Path) -> None:
    file = File(2)
    x = y = file.input((1, 4, 4, 3))
    if op == "conv2d":
        y = file.conv(x, (3, 3))
        file.tensors[y].scale = [1e-30]
    elif op == "prelu":
        slopes = file.constant([1, 2, 3], "INT8", scale=0.1, zero=0)
        y = file.operator("PRELU", [x, slopes], file.tensor(file.shape(x), 1e-30))
    else:
        y = file.binary(op.upper(), x, x, 1e-30)
    (tmp_path / "net.tflite").write_bytes(file.finish(y))
    refused(read(tmp_path / "net.tflite"), ModelError, f"is too small.*{number}", trains=False)
