"""Float .tflite files are read as TensorFlow Lite computes them, and quantized."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.support.floatfiles import floated
from tests.support.models import File
from tests.support.networks import NETWORKS
from tests.support.random_files import random_file
from tests.support.tflm import oracle

from tinyflash.compiler import compile_model
from tinyflash.errors import ModelError
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.run import run
from tinyflash.read import read
from tinyflash.read.tflite.floating import read_float_tflite
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode

RAW_BYTES = ("uint8_ends", "uint8_rescaled")  # there is nothing real in them
# Joins a map and a constant; slices, splits, resizing and the like, which are read in int8 only.
REFUSED = (
    "joined",
    "dealt",
    "transposed",
    "slices",
    "splits",
    "resized",
    "differences",
    "largest",
    "slopes",
)


def samples(network: FloatGraph, count: int, seed: int = 0) -> np.ndarray:
    shape = (count, *network.source.given)
    return np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32)


def held_against_tflm(path: Path, tolerance: float = 1e-5) -> FloatGraph:
    network = read_float_tflite(path)
    x = samples(network, 4)
    y = run(network, network.source.arrange(x))[network.output]
    wanted = np.stack([one.ravel() for one in oracle(path, x)])
    largest = max(float(np.abs(wanted).max()), 1e-30)
    assert np.abs(y.reshape(len(x), -1) - wanted).max() <= tolerance * largest
    return network


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in RAW_BYTES + REFUSED])
def test_small_networks(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS[name]())
    path.write_bytes(floated(path))
    held_against_tflm(path)


def test_random_networks(tmp_path: Path) -> None:
    """Those that no rule refuses; most are read."""
    path, said = tmp_path / "net.tflite", Counter[str]()
    for seed in range(60):
        path.write_bytes(random_file(seed))
        path.write_bytes(floated(path))
        try:
            held_against_tflm(path)
        except ModelError as error:
            words = ("constant of shape", "is a constant", "is not supported", "must be equal")
            assert any(word in str(error) for word in words), error
            said["refused"] += 1
        else:
            said["equal"] += 1
    assert said["equal"] > 40, said


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_int8_files_may_have_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS[name]())
    path.write_bytes(floated(path))
    with pytest.raises(ModelError, match=r"layer \w+ \("):
        read_float_tflite(path)


@pytest.mark.parametrize("weights", ["FLOAT16", "INT8"])
def test_weights_of_fewer_bits(weights: str, tmp_path: Path) -> None:
    """INT8 ones, of a dynamic-range quantization, keep their integers."""
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS["residual"]())
    whole = read(path)
    exact = floated(path)
    path.write_bytes(floated(path, weights))
    network = read_float_tflite(path)
    path.write_bytes(exact)
    x = samples(network, 30)
    real = run(network, x)[network.output]
    wanted = np.stack([one.ravel() for one in oracle(path, x)])
    assert np.abs(real.reshape(30, -1) - wanted).max() <= 1e-3 * np.abs(wanted).max()
    if weights == "INT8":
        graph = quantize(network, x)
        one, other = (
            [g.tensors[n.inputs["w_frozen"]] for n in g.nodes if n.op == "conv2d"]
            for g in (whole, graph)
        )
        assert one
        for before, after in zip(one, other, strict=True):
            np.testing.assert_array_equal(before.data, after.data)


@pytest.mark.parametrize("slopes", [[0.2] * 3, [0.1, -0.2, 1.0], [1.5, 1.0, 2.0], [0.1, 2, -1]])
def test_a_slope_for_each_channel(slopes: list[float], tmp_path: Path) -> None:
    file = File(0)
    x = file.input((1, 4, 4, 3), type="FLOAT32")
    each = file.constant(np.reshape(slopes, (1, 1, 3)), "FLOAT32")
    y = file.tensor((1, 4, 4, 3), type="FLOAT32")
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(file.operator("PRELU", [x, each], y)))
    held_against_tflm(path)


def test_quantized_it_is_close_to_float(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS["residual"]())
    path.write_bytes(floated(path))
    x = samples(read_float_tflite(path), 50)
    graph = read(path, calibration=x)
    session = HostSession(compile_model(graph).program)
    y = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    wanted = np.stack([one.ravel() for one in oracle(path, x)])
    error = np.square(y.reshape(50, -1) - wanted).mean() / np.square(wanted).mean()
    assert error < 1e-3


def test_a_quantized_file_is_not_quantized_again(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS["residual"]())
    with pytest.raises(ModelError, match="is quantized, or mostly so; all other commands read it"):
        read(path, calibration=np.zeros((1, 9, 7, 3), np.float32))
    path.write_bytes(floated(path))
    with pytest.raises(ModelError, match="tinyflash quantize MODEL --calibration"):
        read(path)
