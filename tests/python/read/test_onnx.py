"""ONNX models in float: what is read computes what the model does, and is simple."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from tests.support.onnxfile import OnnxFile, random_samples
from tests.support.onnxmodels import NETWORKS

from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.onnx.reader import parse_onnx


def expected(content: bytes, samples: np.ndarray) -> np.ndarray:
    """What onnx's own reference makes of each sample."""
    machine = ReferenceEvaluator(onnx.load_from_string(content))
    return np.stack([machine.run(None, {"x": x[None]})[0][0] for x in samples])


def as_held(y: np.ndarray, graph: FloatGraph) -> np.ndarray:
    """Maps channels last, as networks here have them."""
    return y if y[:1].shape == graph.shape(graph.output) else np.moveaxis(y, 1, -1)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_computes_what_the_model_does(name: str) -> None:
    content = NETWORKS[name]()
    graph = parse_onnx(content, name)
    x = random_samples(graph, 5)
    found, wanted = outputs(graph, graph.source.arrange(x)), expected(content, x)
    wanted = as_held(wanted, graph)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


def operators(name: str) -> Counter[str]:
    return Counter(node.op for node in parse_onnx(NETWORKS[name](), name).nodes)


def test_nothing_is_left_of_what_can_be_folded() -> None:
    assert operators("plain") == {
        "conv2d": 2, "max_pool": 1, "reshape": 1, "fully_connected": 1
    }  # fmt: skip
    residual = operators("residual")
    assert residual == {
        "conv2d": 3, "depthwise": 1, "add": 1, "mean": 1, "fully_connected": 1, "softmax": 1
    }  # fmt: skip
    excited = operators("excited")
    assert excited["hard_swish"] == 1
    assert not {"scale", "identity", "transpose"} & {*excited}
    assert "transpose" not in operators("channels_last_outside")
    assert operators("perceptron")["hard_swish"] == 1
    assert operators("smallest") == {"conv2d": 4, "maximum": 1, "minimum": 3, "logistic": 1}
    assert operators("scaled_input") == {"conv2d": 1, "reshape": 1, "fully_connected": 1}


def test_a_normalisation_before_padding_stays_by_itself() -> None:
    first = parse_onnx(NETWORKS["one_dimensional"](), "net").nodes[0]
    assert (first.op, first.window.kernel) == ("depthwise", (1, 1))


def test_layers_are_named_by_operator_and_place() -> None:
    nodes = parse_onnx(NETWORKS["plain"](), "net").nodes
    assert [n.name for n in nodes[:3]] == ["conv2d_0", "max_pool_1", "conv2d_2"]
    assert nodes[-1].name == "fully_connected_4"


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_of_one_number_knows_no_other_samples(op: str) -> None:
    f = OnnxFile((1, 6))
    number = f.node("ReduceSum", "x", f.integers(1), keepdims=0)
    samples = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    graph = parse_onnx(f.finish(f.node(op, number, axis=0)), "net", samples)
    found = outputs(graph, graph.source.arrange(samples))
    np.testing.assert_array_equal(found.ravel(), [op == "Softmax"] * 3)
