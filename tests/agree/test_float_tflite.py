"""Float .tflite files are read as TensorFlow Lite computes them, and quantized."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tflite
from tests.support.floatfiles import floated
from tests.support.models import NONE, RELU, RELU6, RELU_N1_TO_1, File
from tests.support.networks import NETWORKS
from tests.support.random_files import random_file
from tests.support.tflm import oracle

from tinyflash.compiler import compile_model
from tinyflash.errors import ModelError
from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.run import run
from tinyflash.read import read
from tinyflash.read.tflite.flat import OPTIONS
from tinyflash.read.tflite.floating import read_float_tflite
from tinyflash.read.tflite.floating.reader import RULES
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode

RAW_BYTES = ("uint8_ends", "uint8_rescaled")  # there is nothing real in them
# Constants that are maps, dilation by batches, TRANSPOSE_CONV: read in int8 only. Slopes of rows.
REFUSED = ("joined", "dealt", "transposed", "differences", "slopes")


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


@pytest.mark.parametrize("name", ["residual", "slices", "splits", "resized", "largest"])
def test_quantized_it_is_close_to_float(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS[name]())
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


@pytest.mark.parametrize("activation", [NONE, RELU, RELU_N1_TO_1, RELU6])
@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "DIV"])
def test_activations_of_sums_and_products(code: str, activation: int, tmp_path: Path) -> None:
    file = File(0)
    x = file.input((1, 9, 3), type="FLOAT32")
    other = file.constant([0.5, -0.2, 3.0], "FLOAT32")
    y = file.tensor((1, 9, 3), type="FLOAT32")
    options = f"{code.capitalize()}Options"
    path = tmp_path / "net.tflite"
    path.write_bytes(
        file.finish(file.operator(code, [x, other], y, options, FusedActivationFunction=activation))
    )
    held_against_tflm(path)


def test_every_operator_with_an_activation_has_it_read() -> None:
    """By the schema, of the operators that have options of their own name."""
    options = {name.lower(): name for name in vars(tflite.BuiltinOptions)}
    found = {code: options.get(f"{code.replace('_', '')}options".lower()) for code in RULES}
    kinds = {code: getattr(tflite, name) for code, name in found.items() if name}
    fused = {code for code, kind in kinds.items() if hasattr(kind, "FusedActivationFunction")}
    assert {"ADD", "DIV", "CONV_2D"} <= fused
    assert all("FusedActivationFunction" in OPTIONS[code][1] for code in fused)


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_maps_that_broadcast(code: str, tmp_path: Path) -> None:
    """The first operand to the other, and both to a larger one."""
    file = File(0)
    x = file.input((1, 4, 5, 3), type="FLOAT32")
    rows, columns = (
        file.operator(
            "REDUCE_MAX", [x, file.constant([axis])],
            file.tensor(shape, type="FLOAT32"), "ReducerOptions", KeepDims=True,
        )
        for axis, shape in ((2, (1, 4, 1, 3)), (1, (1, 1, 5, 3)))
    )  # fmt: skip
    kind = {"MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions"}
    options = kind.get(code, f"{code.capitalize()}Options")
    y = file.operator(code, [rows, x], file.tensor((1, 4, 5, 3), type="FLOAT32"), options)
    z = file.operator(code, [rows, columns], file.tensor((1, 4, 5, 3), type="FLOAT32"), options)
    y = file.operator(
        "CONCATENATION", [y, z], file.tensor((1, 4, 5, 6), type="FLOAT32"),
        "ConcatenationOptions", Axis=3,
    )  # fmt: skip
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(y))
    held_against_tflm(path)


def test_one_number_is_no_input(tmp_path: Path) -> None:
    file = File(0)
    x = file.input((), type="FLOAT32")
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(file.operator("RELU", [x], file.tensor((), type="FLOAT32"))))
    with pytest.raises(ModelError, match="has 0 dimensions; 1 to 3 are supported"):
        read_float_tflite(path)


@pytest.mark.parametrize("axis", [-5, 2])
def test_scales_along_no_axis_are_refused(axis: int, tmp_path: Path) -> None:
    file = File(0)
    x, w = file.input((1, 3), type="FLOAT32"), file.constant([[1, 2, 3], [4, 5, 6]], "INT8")
    tensor = file.tensors[w]
    tensor.scale, tensor.zero, tensor.axis = [0.1, 0.2], [0, 0], axis
    y = file.tensor((1, 2), type="FLOAT32")
    path = tmp_path / "net.tflite"
    path.write_bytes(
        file.finish(file.operator("FULLY_CONNECTED", [x, w, -1], y, "FullyConnectedOptions"))
    )
    with pytest.raises(ModelError, match="2 scales for shape"):
        read_float_tflite(path)


def test_axes_of_another_type_or_place_are_refused(tmp_path: Path) -> None:
    file = File(0)
    x = file.input((1, 4, 3), type="FLOAT32")
    axes = file.constant([np.nan], "FLOAT32")
    y = file.operator("MEAN", [x, axes], file.tensor((1, 3), type="FLOAT32"), "ReducerOptions")
    path = tmp_path / "net.tflite"
    path.write_bytes(file.finish(y))
    with pytest.raises(ModelError, match="input 1 holds float32"):
        read_float_tflite(path)
    wide = file.tensor((1, 4, 3, 2), type="FLOAT32")
    y = file.operator("CONCATENATION", [x, x], wide, "ConcatenationOptions", Axis=3)
    path.write_bytes(file.finish(y))
    with pytest.raises(ModelError, match="do not join along axis 3"):
        read_float_tflite(path)
