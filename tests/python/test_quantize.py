"""Quantisation after training: close to float, by TensorFlow Lite's conventions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.python.floats import LAYERS, SHAPE, float_network, float_samples
from torch.nn import functional

from tinyflash.compiler import compile_model
from tinyflash.errors import DataError
from tinyflash.graph import Quant
from tinyflash.host import Session
from tinyflash.quantize import Layer, Weights, quantize
from tinyflash.quantize.network import INPUT
from tinyflash.verify import verify
from tinyflash.zoo.coding import stored


@pytest.mark.parametrize("seed", range(3))
def test_float_layers_are_those_of_torch(seed: int) -> None:
    network, x = float_network(seed), float_samples(seed, 4)
    values = network.run(x)

    def padded(name: str, sides: tuple[int, ...]) -> torch.Tensor:
        source = x if name == INPUT else values[name]
        return functional.pad(torch.from_numpy(source.transpose(0, 3, 1, 2)), sides)

    def w(name: str, *order: int) -> tuple[torch.Tensor, torch.Tensor]:
        weights = network.weights[name]
        return torch.from_numpy(weights.w.transpose(*order).copy()), torch.from_numpy(weights.b)

    # 9 rows by 3, stride 2: one before and after; 7 columns by 2, stride 2: one after.
    stem = functional.relu6(
        functional.conv2d(padded(INPUT, (0, 1, 1, 1)), *w("stem", 0, 3, 1, 2), stride=2)
    )
    kernel, bias = w("dw", 2, 0, 1)
    dw = functional.conv2d(padded("stem", (1, 1, 1, 1)), kernel[:, None], bias, groups=8).relu()
    for name, expected in (("stem", stem), ("dw", dw)):
        np.testing.assert_allclose(
            values[name], expected.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(values["sum"], np.maximum(values["stem"] + values["pw"], 0))
    np.testing.assert_allclose(values["mean"], values["sum"].mean((1, 2)), rtol=1e-4)
    head = network.weights["classifier"]
    np.testing.assert_allclose(values["classifier"], values["mean"] @ head.w.T + head.b, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_int8_is_close_to_float(seed: int) -> None:
    network = float_network(seed)
    graph = quantize(network, float_samples(seed, 200))
    verify(graph)
    x = float_samples(seed + 100, 200)
    assert graph.input.quant is not None
    assert graph.output.quant is not None
    session = Session(compile_model(graph).program)
    raw = np.stack([session.infer(one) for one in stored(x, graph.input.quant)])
    real = graph.output.quant.scale[0] * (raw.astype(float) - graph.output.quant.zero)
    expected = network.run(x)["classifier"]
    noise = np.std(real - expected) / np.std(expected)
    assert noise < 0.05, f"seed {seed}: {noise:.3f} of the signal"


def test_conventions() -> None:
    graph = quantize(float_network(1), float_samples(1, 50), Quant((1 / 32,), 3))
    tensors = graph.tensors
    assert graph.input.quant == Quant((1 / 32,), 3)
    for name, channels, axis in (("stem", 8, 0), ("dw", 8, 2), ("classifier", 1, 0)):
        w = tensors[f"{name}.w"]
        assert w.quant is not None
        assert w.data is not None
        assert (len(w.quant.scale), w.quant.axis, w.quant.zero) == (channels, axis, 0)
        others = tuple(i for i in range(w.data.ndim) if i != axis) if channels > 1 else None
        assert (np.abs(w.data.astype(int)).max(axis=others) == 127).all()
    for name in ("stem", "dw", "sum"):  # behind ReLU the whole range is positive
        quant = tensors[name].quant
        assert quant is not None
        assert quant.zero == -128
    ids = [t.source_id for t in tensors.values()]
    assert ids == list(range(len(ids)))


def test_a_channel_of_zeros_takes_the_largest_scale() -> None:
    network = float_network(2)
    stem = network.weights["stem"]
    w = stem.w.copy()
    w[3] = 0
    network = replace(network, weights={**network.weights, "stem": Weights(w, stem.b)})
    quant = quantize(network, float_samples(2, 20)).tensors["stem.w"].quant
    assert quant is not None
    assert quant.scale[3] == max(quant.scale)


def test_what_is_zero_on_all_samples_still_has_a_scale() -> None:
    network = float_network(3)
    dead = Weights(np.zeros_like(network.weights["dw"].w), np.zeros(8, np.float32))
    network = replace(network, weights={**network.weights, "dw": dead})
    graph = quantize(network, float_samples(3, 20))
    verify(graph)
    quant = graph.tensors["dw"].quant
    assert quant is not None
    assert quant.scale[0] > 0
    compile_model(graph)


def test_biases_leave_room_for_the_sum() -> None:
    layers = (Layer("fully_connected", "classifier", ("mean",), 2),)
    network = float_network(4, (*LAYERS[:-1], *layers))
    far = Weights(network.weights["classifier"].w, np.array([1e30, -1e30], np.float32))
    network = replace(network, weights={**network.weights, "classifier": far})
    graph = quantize(network, float_samples(4, 20))
    limit = 2**31 - 1 - 255 * 128 * 8
    assert graph.tensors["classifier.b"].data is not None
    assert graph.tensors["classifier.b"].data.tolist() == [limit, -limit]


def test_it_needs_samples() -> None:
    with pytest.raises(DataError, match="no samples to calibrate with"):
        quantize(float_network(0), np.zeros((0, *SHAPE), np.float32))


def test_it_refuses_what_has_no_int8_counterpart() -> None:
    network, x = float_network(0), float_samples(0, 3)
    with pytest.raises(DataError, match=r"shape \(3, 9, 7\); floats reads \(9, 7, 3\)"):
        quantize(network, x[..., 0])
    x[1, 2, 3, 0] = np.nan
    with pytest.raises(DataError, match="hold numbers that are not finite"):
        quantize(network, x)
    stem = network.weights["stem"]
    broken = {**network.weights, "stem": Weights(stem.w, stem.b * np.float32(np.inf))}
    with pytest.raises(DataError, match="floats: layer stem: weights are not finite"):
        quantize(replace(network, weights=broken), float_samples(0, 3))
