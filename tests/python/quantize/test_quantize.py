"""Quantization after training: close to float, by TensorFlow Lite's conventions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.support.floats import SHAPE, float_network, float_samples, with_weights
from torch.nn import functional

from tinyflash.compiler import compile_model
from tinyflash.compiler.verify import verify
from tinyflash.errors import DataError, ModelError
from tinyflash.graph import AxisAttrs, Quant
from tinyflash.quantize import Settings, quantize, ranges
from tinyflash.quantize.floatgraph import FloatNode, Weights
from tinyflash.quantize.floatgraph.run import run
from tinyflash.quantize.ranges import RULES, Histogram, Rule, observe
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode


@pytest.mark.parametrize("seed", range(3))
def test_float_layers_are_those_of_torch(seed: int) -> None:
    network, x = float_network(seed), float_samples(seed, 4)
    values = run(network, x)

    def padded(name: str, sides: tuple[int, ...]) -> torch.Tensor:
        return functional.pad(torch.from_numpy(values[name].transpose(0, 3, 1, 2)), sides)

    def w(name: str, *order: int) -> tuple[torch.Tensor, torch.Tensor]:
        node = network.node(name)
        assert node is not None
        w, b = node.learned.w, node.learned.b
        return torch.from_numpy(w.transpose(*order).copy()), torch.from_numpy(b)

    stem = functional.relu6(
        functional.conv2d(padded("input", (0, 1, 1, 1)), *w("stem", 0, 3, 1, 2), stride=2)
    )
    kernel, bias = w("dw", 2, 0, 1)
    dw = functional.conv2d(padded("stem", (1, 1, 1, 1)), kernel[:, None], bias, groups=8).relu()
    for name, expected in (("stem", stem), ("dw", dw)):
        np.testing.assert_allclose(
            values[name], expected.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(values["sum"], np.maximum(values["stem"] + values["pw"], 0))
    np.testing.assert_allclose(values["mean"], values["sum"].mean((1, 2)), rtol=1e-4)
    head, bias = w("classifier", 0, 1)
    classified = torch.from_numpy(values["mean"]) @ head.T + bias
    np.testing.assert_allclose(values["classifier"], classified.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_int8_is_close_to_float(seed: int, rule: Rule) -> None:
    network = float_network(seed)
    graph = quantize(network, float_samples(seed, 200), Settings(rule))
    verify(graph)
    x = float_samples(seed + 100, 200)
    session = HostSession(compile_model(graph).program)
    raw = np.stack([session.infer(one) for one in encode(graph.input, x)])
    real, expected = decode(graph.output, raw), run(network, x)["classifier"]
    noise = np.std(real - expected) / np.std(expected)
    assert noise < 0.05, f"seed {seed}: {noise:.3f} of the signal"


def test_conventions() -> None:
    source = Quant((1 / 32,), 3)
    graph = quantize(float_network(1), float_samples(1, 50), Settings("min_max", "int8", source))
    tensors = graph.tensors
    assert (graph.input.quant, graph.input.dtype, graph.output.dtype) == (source, "int8", "int8")
    for name, channels, axis in (("stem", 8, 0), ("dw", 8, 2), ("classifier", 5, 0)):
        w = tensors[f"{name}.w"]
        assert w.quant is not None
        assert w.data is not None
        assert (len(w.quant.scale), w.quant.axis, w.quant.zero) == (channels, axis, 0)
        others = tuple(i for i in range(w.data.ndim) if i != axis)
        assert (np.abs(w.data.astype(int)).max(axis=others) == 127).all()
    for name in ("stem", "dw", "sum"):  # behind ReLU the whole range is positive
        quant = tensors[name].quant
        assert quant is not None
        assert quant.zero == -128
    ids = [t.source_id for t in tensors.values()]
    assert ids == list(range(len(ids)))


def learned(network: object, name: str) -> Weights:
    node = network.node(name)  # type: ignore[attr-defined]
    return node.learned  # type: ignore[no-any-return]


def test_a_channel_of_zeros_takes_the_largest_scale() -> None:
    network = float_network(2)
    stem = learned(network, "stem")
    w = stem.w.copy()
    w[3] = 0
    network = with_weights(network, "stem", Weights(w, stem.b))
    quant = quantize(network, float_samples(2, 20)).tensors["stem.w"].quant
    assert quant is not None
    assert quant.scale[3] == max(quant.scale)


def test_what_is_zero_on_all_samples_still_has_a_scale() -> None:
    network = float_network(3)
    dead = Weights(np.zeros_like(learned(network, "dw").w), np.zeros(8, np.float32))
    graph = quantize(with_weights(network, "dw", dead), float_samples(3, 20))
    verify(graph)
    quant = graph.tensors["dw"].quant
    assert quant is not None
    assert quant.scale[0] > 0
    compile_model(graph)


def test_a_bias_that_dwarfs_its_weights_widens_their_scale() -> None:
    """As batch normalisation leaves it of a channel that is nearly constant."""
    network = float_network(4)
    stem = learned(network, "stem")
    w = stem.w.copy()
    w[2] *= 1e-9
    b = stem.b.copy()
    b[2] = 3.0
    graph = quantize(with_weights(network, "stem", Weights(w, b)), float_samples(4, 20))
    bias, w_quant = graph.tensors["stem.b"].data, graph.tensors["stem.w"].quant
    x_quant = graph.tensors["input"].quant
    assert bias is not None
    assert w_quant is not None
    assert x_quant is not None
    limit = 2**31 - 1 - 255 * 128 * 18
    assert abs(int(bias[2])) <= limit
    assert np.isclose(float(bias[2]) * x_quant.scale[0] * w_quant.scale[2], 3.0, rtol=1e-3)


def test_ranges_leave_out_what_lies_far() -> None:
    x = float_samples(5, 500)
    x[7, 3, 3, 1] = 400.0
    network = float_network(5)
    found = {rule: observe(network, x, rule)["stem"] for rule in RULES}
    pre = {rule: observe(network, x, rule)["pw"][1] for rule in RULES}
    assert found["min_max"][1] == 6.0
    assert pre["mse"] < 0.9 * pre["min_max"]
    assert pre["percentile"] < pre["min_max"]
    for rule in RULES:  # what goes in, and what decides, is taken whole
        assert observe(network, x, rule)["input"][1] == 400.0


def test_the_range_of_least_error_is_the_best_of_all() -> None:
    """Against a fine search, on numbers of which a few lie far."""
    counts = np.zeros(4096, np.int64)
    counts[:500] = 10000
    counts[-1] = 1
    h = Histogram(0.0, 1.0, counts)
    low, high = ranges._least_error(h)
    assert low == 0
    assert 0.12 < high < 0.5
    best = min(ranges._error(h, (0.0, float(end))) for end in np.linspace(0.05, 1, 2000))
    assert ranges._error(h, (low, high)) <= 1.1 * best


def test_joined_tensors_are_coded_alike_and_fixed_ones_anew() -> None:
    network = float_network(6)
    joined = (
        *network.nodes[:3],
        FloatNode("logistic", "gate", ("pw",), (1, 5, 4, 8)),
        FloatNode("concatenate", "both", ("gate", "dw"), (1, 5, 4, 16), AxisAttrs(3)),
    )
    graph = quantize(replace(network, nodes=joined, output="both"), float_samples(6, 20))
    verify(graph)
    quants = {name: tensor.quant for name, tensor in graph.tensors.items()}
    assert quants["gate"] == Quant((1 / 256,), -128)
    assert quants["both"] == quants["dw"] != quants["gate"]
    (anew,) = [n for n in graph.nodes if n.op == "lookup" and n.inputs["x"] == "gate"]
    assert quants[anew.outputs["y"]] == quants["dw"]


def test_an_input_of_known_coding_is_coded_anew_where_it_is_joined() -> None:
    network, source = float_network(6), Quant((1 / 32,), 3)
    name, shape = network.source.name, network.source.shape
    rest = FloatNode("hard_swish", "rest", (name,), shape)
    both = FloatNode("concatenate", "both", (name, "rest"), (*shape[:3], 6), AxisAttrs(3))
    network = replace(network, nodes=(rest, both), output="both")
    graph = quantize(network, float_samples(6, 20), Settings(source=source))
    verify(graph)
    quants = {tensor.name: tensor.quant for tensor in graph.tensors.values()}
    assert graph.input.quant == quants[name] == source
    assert quants["both"] == quants["rest"] == quants["both_part0"] != source


def test_it_needs_samples() -> None:
    with pytest.raises(DataError, match="no calibration samples"):
        quantize(float_network(0), np.zeros((0, *SHAPE), np.float32))
    with pytest.raises(ModelError, match="floats: stem has no scale, as in a float model"):
        quantize(float_network(0))


def test_it_refuses_what_has_no_int8_counterpart() -> None:
    network, x = float_network(0), float_samples(0, 3)
    both = r"samples have shape \(3, 9, 7\); the model reads \(samples, 9, 7, 3\)"
    with pytest.raises(DataError, match=f"floats: calibration {both}"):
        quantize(network, x[..., 0])
    x[1, 2, 3, 0] = np.nan
    with pytest.raises(DataError, match="have numbers that are not finite"):
        quantize(network, x)
    stem = learned(network, "stem")
    broken = with_weights(network, "stem", Weights(stem.w, stem.b * np.float32(np.inf)))
    with pytest.raises(ModelError, match="floats: layer stem: weights are not finite"):
        quantize(broken, float_samples(0, 3))
