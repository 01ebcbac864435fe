"""The float twin of the accuracy benchmark: the int8 network's function, trained the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.autograd import FLOAT, quant_of
from tests.support.gradient_networks import NETWORKS
from tests.support.graphs import Layer, Net, same, sample

from tinyflash.bench.accuracy.operators import RULES, real
from tinyflash.bench.accuracy.twin import Twin, bounds
from tinyflash.compiler import compile_model, prepare
from tinyflash.graph import Clip, Graph, Port, Tensor, Window
from tinyflash.layers import weight_scales
from tinyflash.operators import OPERATORS, WEIGHTED
from tinyflash.read import read
from tinyflash.reference.operators import FORWARD
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import pack, unpack
from tinyflash.scheme import LayerUpdate, Rule, Scheme, resolve
from tinyflash.zoo.sources import mlperf_tiny

Networks = Callable[[np.random.Generator], Graph]
EVERYTHING = Scheme((Rule(weights=1.0, bias=True),))


def stored_logits(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the C library computes, in stored units."""
    logits = graph.tensors[graph.logits]
    port = Port(logits.name, "int8", logits.shape, logits.quant)
    session = HostSession(compile_model(replace(graph, output=port)).program)
    return np.stack([session.infer(one) for one in x]).astype(np.float64)


def in_units(graph: Graph, logits: np.ndarray) -> np.ndarray:
    """Real logits in stored units, not rounded."""
    quant = quant_of(graph, graph.logits)
    return logits / quant.scale[0] + quant.zero


def samples(graph: Graph, count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.stack([sample(graph, rng) for _ in range(count)])


def test_every_forward_operator_has_a_rule() -> None:
    assert set(RULES) == set(FORWARD) - {"keep", "mask", "source"} <= set(OPERATORS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("network", NETWORKS)
def test_on_the_grid_it_is_the_int8_network(network: Networks, seed: int) -> None:
    graph = network(np.random.default_rng(seed))
    x = samples(graph, 8)
    expected = stored_logits(graph, x)
    found = in_units(graph, Twin(graph, {}, fake=True).logits(x))
    assert np.abs(found - expected).max() <= 3  # double rounding; a unit off early spreads


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("network", NETWORKS)
def test_in_float_it_is_the_function_of_the_gradient_tests(network: Networks, seed: int) -> None:
    """Operators written for other tests, in float64, node by node."""
    graph = network(np.random.default_rng(seed))
    x = samples(graph, 1)
    found = Twin(graph, {}).logits(x)[0]
    assert found == pytest.approx(float_logits(graph, x[0]), rel=1e-4, abs=1e-4)


def float_logits(graph: Graph, x: np.ndarray) -> np.ndarray:
    import torch

    values: dict[str, Any] = {graph.input.tensor: as_real(graph.tensors[graph.input.tensor], x)}
    for node in graph.nodes:
        y = graph.tensors[node.outputs["y"]]
        slopes = (graph.tensors[t] for role, t in node.inputs.items() if role == "alpha")
        values |= {tensor.name: as_real(tensor) for tensor in slopes}
        inputs = [values[name] for name in node.inputs.values() if name in values]
        if node.op in WEIGHTED:
            inputs.append(as_real(graph.tensors[node.inputs["w_frozen"]]))
        z = FLOAT[node.op](node, y.shape, *inputs)
        if node.op in WEIGHTED and "b" in node.inputs:
            unit = quant_of(graph, node.inputs["x"]).scale[0] * np.array(weight_scales(graph, node))
            z = z + torch.tensor(graph.tensors[node.inputs["b"]].data * unit)
        low, high = bounds(graph, node) if y.name != graph.logits else (-np.inf, np.inf)
        values[y.name] = torch.clamp(z, low, high) if node.op in BOUNDED else z
    return values[graph.logits].numpy().ravel()


BOUNDED = (*WEIGHTED, "add", "sub", "mul", "prelu", "average_pool", "max_pool", "lookup")


def as_real(tensor: Tensor, stored: np.ndarray | None = None) -> Any:
    import torch

    data = tensor.data if stored is None else stored.reshape(tensor.shape)
    assert data is not None
    return torch.tensor(real(data, tensor.quant).astype(np.float64))


def test_on_photographs_it_says_what_the_person_detector_says() -> None:
    graph = replace(read(mlperf_tiny("visual_wake_words")))
    graph = replace(graph, logits=graph.nodes[-1].inputs["x"])
    x = photographs()
    expected = stored_logits(graph, x)
    for fake, steps in ((False, 6), (True, 4)):
        found = in_units(graph, Twin(graph, {}, fake).logits(x))
        assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= 0.95
        assert np.abs(found - expected).max() <= steps


def photographs() -> np.ndarray:
    """Stored inputs of the person detector: every fifth picture of the faces task."""
    from tinyflash.zoo.tasks import load_task

    return load_task("faces").splits(0)[0].test.x[::5]


@pytest.mark.parametrize(
    ("zero", "clip", "scale", "expected"),
    [
        (-128, Clip(), 0.1, (0.0, np.inf)),  # ReLU
        (-128, Clip(), 6 / 255, (0.0, 6.0)),  # ReLU6 says its range
        (-128, Clip(-128, 100), 0.5, (0.0, 114.0)),
        (3, Clip(), 6 / 124, (-np.inf, np.inf)),  # nothing: the ends of the number format
        (3, Clip(3, 127), 0.5, (0.0, np.inf)),
        (0, Clip(-10, 10), 0.1, (-1.0, 1.0)),
    ],
)
def test_bounds_are_those_of_activation_functions(
    zero: int, clip: Clip, scale: float, expected: tuple[float, float]
) -> None:
    net = Net(np.random.default_rng(0))
    y = net.conv2d(net.input((4, 4, 2)), 3, Window((1, 1)), Layer(zero=zero, clip=clip))
    quant = quant_of(net.graph(y), y)
    net.tensors[y] = replace(net.tensors[y], quant=replace(quant, scale=(scale,)))
    assert bounds(net.graph(y), net.nodes[0]) == pytest.approx(expected)


# ---- Training ------------------------------------------------------------------------------------


def small(dead: int = 0) -> Graph:
    """A depthwise layer, convolutions of both kinds, and a classifier that is not zero."""
    net = Net(np.random.default_rng(1))
    a = net.conv2d(net.input((6, 6, 3)), 8, same((6, 6), 3), Layer(zero=-90, dead=dead))
    b = net.depthwise(a, same((6, 6), 3), Layer(zero=-90, dead=dead))
    c = net.conv2d(b, 8, Window((1, 1)), Layer(zero=-90, dead=dead))
    return net.graph(net.fully_connected(net.mean(c, (0, 1)), 4))


def train(twin: Twin, graph: Graph) -> None:
    for step, x in enumerate(samples(graph, 6)):
        twin.step(x, step % 4, 0.05)


@pytest.mark.parametrize("fake", [False, True])
def test_only_what_the_scheme_names_changes(fake: bool) -> None:
    graph = small()
    names = [n.name for n in graph.nodes if n.op in WEIGHTED]
    updates = {
        names[1]: LayerUpdate(3, 8, bias=False),
        names[2]: LayerUpdate(0, 8, bias=True),
        names[3]: LayerUpdate(5, 8, bias=True),
    }
    before, after = Twin(graph, updates, fake), Twin(graph, updates, fake)
    train(after, graph)
    for name in names:
        (w0, b0), (w1, b1) = before.weights(name), after.weights(name)
        kept = updates[name].kept if name in updates else 0
        assert np.array_equal(w0[..., kept:], w1[..., kept:])
        assert (w0[..., :kept] != w1[..., :kept]).any() == (kept > 0)
        assert (b0 != b1).any() == (name in updates and updates[name].bias)


def test_dead_channels_stay() -> None:
    graph = small(dead=2)
    updates = resolve(EVERYTHING, graph)
    before, after = Twin(graph, updates), Twin(graph, updates)
    train(after, graph)
    for node in (n for n in graph.nodes if n.name.startswith(("conv2d", "depthwise"))):
        scales = np.array(weight_scales(graph, node))
        dead = scales < 2.0**-10 * scales.max()
        (w0, b0), (w1, b1) = before.weights(node.name), after.weights(node.name)
        axis = w0.ndim - 1 if node.op == "depthwise" else 0
        moved = (w0 != w1).any(axis=tuple(i for i in range(w0.ndim) if i != axis))
        assert dead.sum() == 2
        assert not moved[dead].any() and not (b0 != b1)[dead].any()
        assert moved[~dead].any()


def test_groups_have_rates_of_their_own() -> None:
    graph = small()
    name = graph.nodes[0].name
    steps = []
    for update in (LayerUpdate(3, 3, True), LayerUpdate(3, 3, True, 0.5, 4.0)):
        twin = Twin(graph, {name: update})
        w0, b0 = (array.copy() for array in twin.weights(name))
        twin.step(samples(graph, 1)[0], 1, 0.01)
        w1, b1 = twin.weights(name)
        steps.append((w1 - w0, b1 - b0))
    assert steps[1][0] == pytest.approx(0.5 * steps[0][0], abs=1e-7)
    assert steps[1][1] == pytest.approx(4.0 * steps[0][1], abs=1e-6)


def test_its_step_is_the_mean_step_of_the_library() -> None:
    """One sample, many seeds of the stochastic rounding: on the mean both move alike."""
    graph, rate = prepare(small(), EVERYTHING).forward, 0.2
    twin = Twin(graph, resolve(EVERYTHING, graph), fake=True)
    compiled = compile_model(graph, EVERYTHING)
    session = HostSession(compiled.program)
    x = samples(graph, 1)[0]
    for _ in range(40):  # until the exponents of the gradients have settled
        session.train_step(x, 1, 1e-9)
    mean = mean_step(session, x, rate)
    before = {n.name: twin.weights(n.name)[0].copy() for n in graph.nodes if n.op in WEIGHTED}
    twin.step(x, 1, rate)
    assert compiled.train is not None
    for node in (n for n in graph.nodes if n.op in WEIGHTED):
        unit = twin.layers[node.name].scale.numpy()
        units = (twin.weights(node.name)[0] - before[node.name]) / unit
        found = mean_of(compiled.train.graph, node.inputs["w_frozen"], mean)
        free = np.abs(graph.tensors[node.inputs["w_frozen"]].data) < 120
        a, b = units[free], found[free]
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.97, node.name
        assert 0.9 < np.linalg.norm(b) / np.linalg.norm(a) < 1.1, node.name


def mean_step(session: HostSession, x: np.ndarray, rate: float, seeds: int = 200) -> np.ndarray:
    """The mean change of the bytes of WEIGHTS, as int8, over seeds of the random bits."""
    weights, (header, scales) = session.weights, unpack(session.state)
    total = np.zeros(len(weights))
    for seed in range(seeds):
        session.weights, session.state = weights, pack(header._replace(seed=seed), scales)
        session.train_step(x, 1, rate)
        total += np.frombuffer(session.weights, np.int8).astype(np.int64)
    return total / seeds - np.frombuffer(weights, np.int8)


def mean_of(train: Graph, tensor: str, mean: np.ndarray) -> np.ndarray:
    """The part of WEIGHTS that is one tensor."""
    offset = 0
    for other in (t for t in train.constants() if t.kind == "trainable"):
        if other.name == tensor:
            return mean[offset : offset + other.size].reshape(other.shape)
        offset += -(-other.nbytes // 4) * 4
    raise AssertionError(tensor)
