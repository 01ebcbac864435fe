"""ONNX models with QuantizeLinear and DequantizeLinear: their own integers, their own scales."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from tests.support.onnxfile import OnnxFile
from tests.support.tflm import oracle

from tinyflash.compiler import compile_model
from tinyflash.compiler.verify import verify
from tinyflash.errors import ModelError
from tinyflash.graph import Graph, Quant
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.write.tflite import write_tflite

SHAPE = (1, 3, 10, 8)


@dataclass
class Coder:
    """Writes the pairs of operators that quantize a value. `kind`: the type of activations."""

    file: OnnxFile
    kind: Any

    def pair(self, x: str, scale: float, zero: int) -> str:
        """`zero`: as int8 has it."""
        offset = 128 if self.kind is np.uint8 else 0
        how = (self.file.constant(scale), self.file.constant(zero + offset, self.kind))
        return self.file.node("DequantizeLinear", self.file.node("QuantizeLinear", x, *how), *how)

    def weights(self, *shape: int, spread: float = 0.01) -> str:
        """Int8, a scale for each of the first dimension's channels."""
        random = self.file.random
        data = self.file.constant(random.integers(-127, 128, shape), np.int8)
        scales = self.file.constant(random.uniform(0.2, 1, shape[0]) * spread)
        return self.file.node("DequantizeLinear", data, scales, axis=0)

    def bias(self, count: int) -> str:
        data = self.file.constant(self.file.random.integers(-2000, 2000, count), np.int32)
        return self.file.node("DequantizeLinear", data, self.file.constant(1e-4))


def model(kind: Any, seed: int = 0) -> bytes:
    """A stem, a residual block with a pool, a gate of unusual scale, a classifier."""
    f = OnnxFile(SHAPE, seed, opset=19)
    code = Coder(f, kind)
    x = code.pair("x", 1 / 32, 3)
    x = f.node("Conv", x, code.weights(8, 3, 3, 3), code.bias(8), pads=[1, 1, 1, 1])
    x = code.pair(f.node("Relu", x), 0.02, -128)
    x = code.pair(f.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.02, -128)
    y = f.node("Conv", x, code.weights(8, 1, 3, 3, spread=0.004), group=8, pads=[1, 1, 1, 1])
    y = code.pair(y, 0.05, -5)
    gate = code.pair(f.node("Sigmoid", y), 0.0041, -128)
    x = code.pair(f.node("Add", x, code.pair(f.node("Mul", y, gate), 0.04, -10)), 0.05, -20)
    x = code.pair(f.node("GlobalAveragePool", x), 0.04, -30)
    x = code.pair(f.node("Flatten", x), 0.04, -30)
    x = f.node("Gemm", x, code.weights(5, 8, spread=0.005), code.bias(5), transB=1)
    return f.finish(code.pair(x, 0.03, 7))


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1.2, (count, *SHAPE[1:])).astype(np.float32)


def inferred(graph: Graph, x: np.ndarray) -> np.ndarray:
    session = HostSession(compile_model(graph).program)
    stored = encode(graph.input, x.transpose(0, 2, 3, 1))
    return decode(graph.output, np.stack([session.infer(one) for one in stored]))


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_outputs_are_within_steps_of_the_model(kind: Any, tmp_path: Path) -> None:
    content = model(kind)
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    graph = read(path)
    verify(graph)
    machine = ReferenceEvaluator(onnx.load_from_string(content))
    x = samples(30)
    expected = np.stack([machine.run(None, {"x": one[None]})[0].ravel() for one in x])
    found = inferred(graph, x)
    steps = np.abs(found - expected) / 0.03
    assert np.ptp(expected) / 0.03 > 30, "the model does not depend on its input"
    assert steps.max() <= 2.01
    assert steps.mean() < 0.3

    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(graph))
    of_tflm = np.stack([one.ravel() for one in oracle(path, x[:5].transpose(0, 2, 3, 1))])
    np.testing.assert_array_equal(of_tflm, found[:5])


def test_integers_and_scales_are_the_models_own() -> None:
    content = model(np.uint8)
    graph = quantize(parse_onnx(content, "net"))
    constants = {t.name: onnx.numpy_helper.to_array(t)
                 for t in onnx.load_from_string(content).graph.initializer}  # fmt: skip
    int8 = [c for c in constants.values() if c.dtype == np.int8]
    stem = next(n for n in graph.nodes if n.op == "conv2d")
    w = graph.tensors[stem.inputs["w_frozen"]]
    assert w.data is not None
    np.testing.assert_array_equal(w.data, int8[0].transpose(0, 2, 3, 1))
    assert graph.input.quant == Quant((1 / 32,), 3)
    assert graph.tensors[stem.outputs["y"]].quant == Quant((float(np.float32(0.02)),), -128)
    assert graph.output.quant == Quant((float(np.float32(0.03)),), 7)


def test_what_has_no_scale_needs_samples() -> None:
    f = OnnxFile(SHAPE)
    code = Coder(f, np.int8)
    x = f.node("Conv", code.pair("x", 1 / 32, 3), code.weights(4, 3, 3, 3), code.bias(4))
    content = f.finish(code.pair(f.node("Tanh", f.node("GlobalAveragePool", x)), 0.01, 0))
    network = parse_onnx(content, "net")
    with pytest.raises(ModelError, match="conv2d_0 has no scale"):
        quantize(network)
    graph = quantize(network, samples(9))
    assert graph.input.quant == Quant((1 / 32,), 3)
    assert graph.output.quant == Quant((float(np.float32(0.01)),), 0)


def judged(content: bytes, x: np.ndarray) -> np.ndarray:
    machine = ReferenceEvaluator(onnx.load_from_string(content))
    return np.stack([machine.run(None, {"x": one[None]})[0].ravel() for one in x])


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("axis", [None, 0])
def test_weights_that_are_quantized_in_the_model(kind: Any, axis: int | None) -> None:
    """As AddQDQPairToWeight of ONNX Runtime and PyTorch's fake quantization leave them."""
    f = OnnxFile(SHAPE, 3, opset=19)
    code = Coder(f, kind)
    w = f.normal(4, 3, 3, 3, scale=0.4)
    how = {"axis": axis} if axis is not None else {}
    scales = f.constant([0.01, 0.004, 0.02, 0.008] if how else 0.004)
    zeros = f.constant(np.zeros(4 if how else (), np.int8), np.int8)
    coded = f.node("QuantizeLinear", w, scales, zeros, **how)
    real = f.node("DequantizeLinear", coded, scales, zeros, **how)
    y = f.node("Conv", code.pair("x", 1 / 32, 3), real)
    content = f.finish(code.pair(y, 0.05, 7))
    graph = quantize(parse_onnx(content, "net"))
    given = onnx.numpy_helper.to_array(onnx.load_from_string(content).graph.initializer[0])
    spread = np.array([0.01, 0.004, 0.02, 0.008] if how else [0.004], np.float32)
    wanted = np.clip(np.rint(given / spread.reshape(-1, 1, 1, 1)), -128, 127)
    assert wanted.min() == -128, "no weight is clamped"
    found = graph.tensors[graph.nodes[0].inputs["w_frozen"]]
    np.testing.assert_array_equal(found.data, wanted.transpose(0, 2, 3, 1))
    assert found.quant == Quant(tuple(map(float, spread)), 0, 0)
    x = samples(5)
    planes = graph.output.shape[1:]
    y = inferred(graph, x).reshape(5, *planes).transpose(0, 3, 1, 2)
    assert np.abs(y.reshape(5, -1) - judged(content, x)).max() <= 0.0501


@pytest.mark.parametrize("zero", [0, 64])
def test_a_range_of_half_the_integers(zero: int) -> None:
    """PyTorch's reduce_range: a Clip of integers between the two."""
    f = OnnxFile(SHAPE, 3, opset=19)
    code = Coder(f, np.uint8)

    def half(x: str, scale: float) -> str:
        how = (f.constant(scale), f.constant(zero, np.uint8))
        low = "" if zero else f.constant(0, np.uint8)  # PyTorch leaves it out
        ends = (low, f.constant(127, np.uint8))
        y = f.node("Clip", f.node("QuantizeLinear", x, *how), *ends)
        return f.node("DequantizeLinear", y, *how)

    y = f.node("Conv", half("x", 1 / 64), code.weights(4, 3, 3, 3))
    content = f.finish(half(y, 0.004))
    graph = quantize(parse_onnx(content, "net"))
    x = samples(20)
    wanted = judged(content, x)
    for end in {wanted.min(), wanted.max()}:
        assert (wanted == end).mean() > 0.01, "the range is never left"
    found = inferred(graph, x).reshape(20, *graph.output.shape[1:]).transpose(0, 3, 1, 2)
    assert np.abs(found.reshape(20, -1) - wanted).max() <= 0.00401


def test_a_channel_of_scale_0() -> None:
    f = OnnxFile(SHAPE, 3, opset=19)
    code = Coder(f, np.int8)
    data = f.random.integers(-127, 128, (4, 3, 3, 3))
    data[1] = 0
    scales = f.constant([0.01, 0.0, 0.01, 0.01])
    w = f.node("DequantizeLinear", f.constant(data, np.int8), scales, axis=0)
    content = f.finish(code.pair(f.node("Conv", code.pair("x", 1 / 32, 3), w), 0.05, 7))
    y = inferred(quantize(parse_onnx(content, "net")), samples(2)).reshape(-1, 4)
    assert (y[:, 1] == 0).all()
    assert np.ptp(y[:, 0]) > 0
