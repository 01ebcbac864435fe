"""Channels in another order: no bit of inference changes, and random bits follow the channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Layer, Net, same
from tests.support.learner import learned
from tests.support.twin import train_side_by_side

from tinyflash.compiler import compile_model, prepare
from tinyflash.compiler.passes.channels import region_of
from tinyflash.compiler.passes.choose import choose_channels
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.verify import verify
from tinyflash.errors import SchemeError
from tinyflash.graph import Graph, Tensor, Window
from tinyflash.read import read
from tinyflash.reference import Machine
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Scheme, parse_scheme, resolve
from tinyflash.zoo.sources import mlperf_tiny

CHOICE = "[[update]]\nbias = true\nweights = 0.4\nchannels = 'largest'\n"
EXPAND, POINT = Layer(zero=-128), Layer(zero=-20)


def network(seed: int = 3) -> Graph:
    """Two blocks of expansion, depthwise layer and projection, the second with a residual sum."""
    net = Net(np.random.default_rng(seed))
    x = net.conv2d(net.input((6, 6, 3)), 6, same((6, 6), 3), POINT)
    for index in range(2):
        wide = net.conv2d(x, 10, Window((1, 1)), EXPAND)
        wide = net.depthwise(wide, same((6, 6), 3), EXPAND)
        narrow = net.conv2d(wide, 6, Window((1, 1)), POINT)
        x = net.add(x, narrow) if index else narrow
    pooled = net.pool("average_pool", x, Window((6, 6)))
    return net.graph(net.fully_connected(net.reshape(pooled, (1, 6)), 4))


def chosen(graph: Graph, scheme: Scheme) -> Graph:
    forward = prepare(graph, scheme).forward
    return choose_channels(forward, resolve(scheme, forward))


def strength(tensor: Tensor) -> np.ndarray:
    scales = np.asarray(tensor.quant.scale).reshape(-1, *[1] * (tensor.data.ndim - 1))
    return ((tensor.data * scales) ** 2).reshape(-1, tensor.shape[-1]).sum(axis=0)


BUT_THE_FIRST = (
    "[[update]]\nlast = 6\nbias = true\nweights = 0.4\nchannels = 'largest'\n"  # not of the input
)


def test_inference_keeps_every_bit() -> None:
    graph = network()
    other = chosen(graph, parse_scheme(BUT_THE_FIRST))
    verify(other)
    assert other != graph
    rng = np.random.default_rng(1)
    for _ in range(10):
        x = rng.integers(-128, 128, 108)
        assert np.array_equal(Machine(other).infer(x), Machine(graph).infer(x))


def test_the_channels_of_most_weight_come_first() -> None:
    scheme = parse_scheme("[[update]]\nlayers = ['conv2d_6']\nweights = 0.4\nchannels = 'largest'")
    graph = network()
    w = chosen(graph, scheme).tensors["conv2d_6_w"]
    largest = sorted(np.argsort(-strength(graph.tensors["conv2d_6_w"]))[:4])
    others = [c for c in range(10) if c not in largest]
    assert w.taken.columns == (*largest, *others)
    made = chosen(graph, scheme).tensors["conv2d_4_b"].taken.rows
    assert made == w.taken.columns


@pytest.mark.parametrize("seed", range(4))
def test_training_agrees(seed: int) -> None:
    compiled = compile_model(network(seed), parse_scheme(BUT_THE_FIRST), seed=seed)
    train_side_by_side(compiled, seed, steps=5)


def test_the_person_detector_agrees() -> None:
    text = "head = 2\n[[update]]\nlast = 12\nbias = true\nweights = 0.25\nchannels = 'largest'"
    graph = read(mlperf_tiny("visual_wake_words"))
    train_side_by_side(compile_model(graph, parse_scheme(text), seed=1), seed=1, steps=2)


def test_a_new_order_changes_no_bit_of_training() -> None:
    """Of layers whose inputs stay in order, and of all biases; channels keep their random bits."""
    graph = network()
    region = region_of(graph, "conv2d_4_y")
    assert region is not None
    taken: dict[str, Tensor] = {}
    region.take(np.random.default_rng(6).permutation(10), taken)
    turned = replace(graph, tensors={**graph.tensors, **taken})
    scheme = (
        "[[update]]\nbias = true\n[[update]]\nlayers = ['conv2d_4', 'depthwise_5']\nweights = 1"
    )
    here, there = (learned(g, scheme, "keep") for g in (graph, turned))
    for tensor in here.constants():  # each put back to where it was
        assert np.array_equal(tensor.data, there.tensors[tensor.name].data), tensor.name
    assert not np.array_equal(here.tensors["conv2d_4_w"].data, graph.tensors["conv2d_4_w"].data)


def test_what_was_learned_is_written_in_the_order_of_the_source() -> None:
    graph = network()
    compiled = compile_model(graph, parse_scheme(BUT_THE_FIRST), seed=2)
    session, rng = HostSession(compiled.program), np.random.default_rng(2)
    for step in range(6):
        session.train_step(rng.integers(-128, 128, 108, dtype=np.int8), step % 4, 0.1)
    whole = Machine(compiled.learned(session.weights))
    for _ in range(10):
        x = rng.integers(-128, 128, 108, dtype=np.int8)
        assert np.array_equal(session.infer(x), whole.infer(x))


def test_what_reads_the_input_cannot_choose() -> None:
    with pytest.raises(SchemeError, match=r"layer 'conv2d_0' cannot choose its channels"):
        training_graph(prepare(network(), parse_scheme(CHOICE)))
