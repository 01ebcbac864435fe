"""Channels whose weight scale stands at a floor, as released models have them (SPEC 6.6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same
from tests.support.learner import learned

from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.passes.silent import remove_silent
from tinyflash.compiler.verify import verify
from tinyflash.graph import Graph, Tensor, Window
from tinyflash.read import read
from tinyflash.reference import Machine
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import parse_scheme
from tinyflash.zoo.sources import mlperf_tiny

ALL = parse_scheme("[[update]]\nweights = 1.0\nbias = true")
STEPS = 60
DEAD = Layer(dead=3)  # at 1e-9 of the layer's largest scale: 4e-9 where that is 4


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    net = Net(np.random.default_rng(3))
    a = net.conv2d(net.input((7, 7, 2)), 8, same((7, 7), 3), DEAD)
    b = net.depthwise(a, same((7, 7), 3), DEAD)
    c = net.conv2d(b, 8, same((7, 7), 1), DEAD)
    return compile_model(net.graph(net.fully_connected(net.mean(c, (0, 1)), 3)), ALL, seed=3)


@pytest.fixture(scope="module")
def trained(compiled: Compiled) -> HostSession:
    session, rng = HostSession(compiled.program), np.random.default_rng(4)
    for step in range(STEPS):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        session.train_step(x, step % 3, 0.1)
    return session


def test_dead_channels_keep_their_bytes_and_live_ones_learn(
    compiled: Compiled, trained: HostSession
) -> None:
    """All weights, and the biases of layers with dead channels."""
    before, after = _trained_tensors(compiled), _trained_tensors(compiled, trained.weights)
    seen = 0
    for name, tensor in before.items():
        scales = np.array(tensor.quant.scale)
        dead = scales < 1e-6 * scales.max()
        if name.startswith("fully_connected"):
            continue
        assert dead.sum() == DEAD.dead
        changed = np.moveaxis(tensor.data != after[name].data, tensor.quant.axis, 0)
        changed = changed.reshape(len(scales), -1).any(axis=1)
        assert not changed[dead].any(), name
        assert changed[~dead].any(), name
        seen += 1
    assert seen == 6


def test_dead_channels_do_not_drown_the_others(trained: HostSession) -> None:
    counters = trained.counters()
    assert max(counters.exponents) < 5
    assert counters.weights_saturated < 50


def _trained_tensors(compiled: Compiled, weights: bytes | None = None) -> dict[str, Tensor]:
    """The trained tensors as they lie in WEIGHTS, one behind the other, each at a multiple of 4."""
    assert compiled.train is not None
    image = compiled.program.weights if weights is None else weights
    found, offset = {}, 0
    for tensor in compiled.train.graph.constants():
        if tensor.kind == "trainable":
            data = np.frombuffer(image, tensor.dtype, tensor.size, offset).reshape(tensor.shape)
            found[tensor.name] = replace(tensor, data=data)
            offset += -(-tensor.nbytes // 4) * 4
    assert offset == len(image)
    return found


# ---- Removed -------------------------------------------------------------------------------------


def silenced(graph: Graph, layer: str, channels: list[int]) -> Graph:
    """The graph with some output channels that are below their clip whatever the input."""
    (node,) = [n for n in graph.nodes if n.name == layer]
    w, b = (graph.tensors[node.inputs[role]] for role in ("w_frozen", "b"))
    weights, biases = np.array(w.data), np.array(b.data)
    np.moveaxis(weights, w.quant.axis, 0)[channels] = 0
    biases[channels] = -1000
    changed = [replace(w, data=weights), replace(b, data=biases)]
    return replace(graph, tensors={**graph.tensors, **{t.name: t for t in changed}})


RELU = Layer(zero=-128)
SILENT = {"conv2d_1": [0, 2, 3], "conv2d_3": [1, 4], "depthwise_2": [0, 2, 3]}


def with_silent_channels(seed: int = 5) -> Graph:
    """Five layers with ReLUs, of which three have channels that are silent, the others none."""
    net = Net(np.random.default_rng(seed))
    x = net.conv2d(net.input((6, 6, 2)), 5, same((6, 6), 3), RELU)
    x = net.depthwise(net.conv2d(x, 6, same((6, 6), 3), RELU), same((6, 6), 3), RELU)
    x = net.conv2d(x, 7, same((6, 6), 1), RELU)
    x = net.pool("average_pool", net.conv2d(x, 4, same((6, 6), 3), RELU), Window((6, 6)))
    graph = net.graph(net.fully_connected(net.reshape(x, (1, 4)), 3))
    loud = [t for t in graph.constants() if t.dtype == "int32" and t.name != "fully_connected_7_b"]
    tensors = {t.name: replace(t, data=np.abs(t.data)) for t in loud}
    graph = replace(graph, tensors={**graph.tensors, **tensors})
    for layer, channels in SILENT.items():
        graph = silenced(graph, layer, channels)
    return graph


def trained_alike(graph: Graph, scheme: str) -> None:
    kept, removed = (learned(graph, scheme, dead) for dead in ("keep", "remove"))
    changed = 0
    for tensor in kept.constants():
        assert np.array_equal(tensor.data, removed.tensors[tensor.name].data), tensor.name
        before = graph.tensors.get(tensor.name)
        changed += before is not None and not np.array_equal(before.data, tensor.data)
    assert changed > 2


def test_channels_that_are_always_clipped_are_removed() -> None:
    graph = remove_silent(with_silent_channels())
    verify(graph)
    shapes = {n.name: graph.tensors[n.outputs["y"]].shape[-1] for n in graph.nodes}
    assert list(shapes.values()) == [5, 3, 3, 5, 4, 4, 4, 3]
    assert graph.tensors["conv2d_1_b"].taken.rows == (1, 4, 5)
    taken = graph.tensors["conv2d_3_w"].taken
    assert (taken.rows, taken.columns) == ((0, 2, 3, 5, 6), (1, 4, 5))


def test_inference_without_them_is_the_same() -> None:
    graph = with_silent_channels()
    whole, session = Machine(graph), HostSession(compile_model(graph).program)
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.integers(-128, 128, 72, dtype=np.int8)
        assert np.array_equal(session.infer(x), whole.infer(x))


@pytest.mark.parametrize("rule", ["", "momentum = 0.9", "master = true", "accumulate = 2"])
def test_training_without_them_is_the_same(rule: str) -> None:
    """Weights that read a silent channel do not move: remainders pass them unchanged."""
    scheme = f"head = 3\n[optimizer]\n{rule}\n[[update]]\nweights = 1\nbias = true"
    trained_alike(with_silent_channels(), scheme)


def test_the_person_detector_learns_the_same_without_them() -> None:
    graph = read(mlperf_tiny("visual_wake_words"))
    scheme = (
        "[[update]]\nlast = 9\nbias = true\n[[update]]\nlast = 9\noperator = 'conv2d'\nweights = 1"
    )
    trained_alike(graph, f"head = 2\n{scheme}")


@pytest.mark.parametrize("change", ["bias", "zero", "reader", "all"])
def test_channels_stay_where_they_matter(change: str) -> None:
    graph = with_silent_channels()
    if change == "bias":  # one of them can leave its bound
        b = graph.tensors["conv2d_3_b"]
        alive = np.where(np.arange(7) == 4, 10**6, np.asarray(b.data)).astype(np.int32)
        graph = replace(graph, tensors={**graph.tensors, b.name: replace(b, data=alive)})
        assert remove_silent(graph).tensors["conv2d_3_y"].shape[-1] == 6
    elif change == "zero":  # at the bound is not at the zero point
        y = graph.tensors["conv2d_3_y"]
        other = replace(y, quant=replace(y.quant, zero=-120))
        graph = replace(graph, tensors={**graph.tensors, y.name: other})
        assert remove_silent(graph).tensors["conv2d_3_y"].shape[-1] == 7
    elif change == "reader":  # the output itself
        graph = replace(graph, logits="conv2d_3_y")
        assert remove_silent(graph).tensors["conv2d_3_y"].shape[-1] == 7
    else:
        graph = remove_silent(silenced(graph, "conv2d_3", list(range(7))))
        verify(graph)
        assert graph.tensors["conv2d_3_y"].shape[-1] == 1
