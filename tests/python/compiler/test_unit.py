"""The unit of a network's input: inference keeps every bit, training gets a step it can bear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Net, same

from tinyflash.compiler import compile_model
from tinyflash.compiler.passes.unit import LARGEST_SCALE, with_file_unit, with_input_unit
from tinyflash.graph import Graph, Quant, Window
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Rule, Scheme

EVERYTHING = Scheme((Rule(weights=1.0, bias=True),))


def network(scale: float, reader: str = "conv2d") -> Graph:
    net = Net(np.random.default_rng(0))
    x = net.input((6, 6, 4), zero=-128, scale=scale)
    if reader == "conv2d":
        y = net.conv2d(net.pad(x, (1, 1, 0), (1, 1, 0)), 8, Window((3, 3)))
    elif reader == "depthwise":
        y = net.depthwise(x, same((6, 6), 3))
    else:
        y = net.function(x, "logistic")
        y = net.conv2d(y, 8, same((6, 6), 1))
    return net.graph(net.fully_connected(net.mean(y, (0, 1)), 3))


def input_scale(graph: Graph) -> float:
    quant = graph.tensors[graph.input.tensor].quant
    assert quant is not None
    return quant.scale[0]


@pytest.mark.parametrize("reader", ["conv2d", "depthwise"])
@pytest.mark.parametrize("scale", [1.0, 0.9294117, 0.0079])
def test_an_input_in_large_units_becomes_about_1(scale: float, reader: str) -> None:
    found = input_scale(with_input_unit(network(scale, reader)))
    assert LARGEST_SCALE / 2 < found <= LARGEST_SCALE


def test_an_input_in_small_units_stays() -> None:
    graph = network(LARGEST_SCALE)
    assert with_input_unit(graph) is graph


def test_an_input_that_no_layer_with_weights_reads_stays() -> None:
    graph = network(1.0, "lookup")
    assert with_input_unit(graph) is graph


def test_a_raw_input_stays() -> None:
    graph = network(1.0)
    raw = replace(graph.tensors["x"], quant=None)
    graph = replace(graph, tensors={**graph.tensors, "x": raw})
    assert with_input_unit(graph) is graph


@pytest.mark.parametrize("reader", ["conv2d", "depthwise"])
def test_inference_keeps_every_bit(reader: str) -> None:
    graph = network(1.0, reader)
    random = np.random.default_rng(1)
    x = random.integers(-128, 128, (6, 6, 4), dtype=np.int8)
    plain, trainable = (HostSession(compile_model(graph, s).program) for s in (None, EVERYTHING))
    assert np.array_equal(plain.infer(x), trainable.infer(x))


def test_pixels_and_their_fractions_learn_alike() -> None:
    """0..255 and the same picture as 0..1.99 are one network: they take the same steps."""
    pixels = network(1.0)
    fractions = with_input_unit(pixels)
    assert fractions.tensors["x"].quant == Quant((1 / 128,), -128)
    weights = []
    for graph in (pixels, fractions):
        session = HostSession(compile_model(graph, EVERYTHING).program)
        random = np.random.default_rng(2)
        for step in range(30):
            x = random.integers(-128, 128, (6, 6, 4), dtype=np.int8)
            session.train_step(x, step % 3, 0.1)
        weights.append(session.weights)
    assert weights[0] == weights[1]


@pytest.mark.parametrize("reader", ["conv2d", "depthwise"])
def test_the_unit_of_the_file_comes_back(reader: str) -> None:
    graph = network(1.0, reader)
    assert with_input_unit(graph) != graph
    assert with_file_unit(with_input_unit(graph)) == graph
    assert with_file_unit(graph) is graph
