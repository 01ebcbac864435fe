"""Smooth functions of one element: close to float, kept by files, and equal to TensorFlow Lite's
tables where it has the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.models import File
from tests.support.onnxfile import OnnxFile, random_samples
from tests.support.tflm import runtime

from tinyflash.compiler import compile_model
from tinyflash.errors import ModelError
from tinyflash.quantize import quantize
from tinyflash.quantize.curves import CURVES, tabulated
from tinyflash.quantize.error import signal_to_noise
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.quantize.tables import Coding
from tinyflash.read import read
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.read.torch import floats_from_torch
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode
from tinyflash.write.tflite import write_tflite

BYTES = np.arange(-128, 128, dtype=np.int8)

# As ONNX writes them; opset 20 is the first with Gelu.
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "abs": ("Abs", {}),
    "elu": ("Elu", {"alpha": 0.7}),
    "erf": ("Erf", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
}


def test_each_has_a_case() -> None:
    assert NODES.keys() == CURVES.keys()


@pytest.mark.parametrize("name", NODES)
def test_close_to_float_and_the_same_after_a_file(name: str, tmp_path: Path) -> None:
    op, attributes = NODES[name]
    f = OnnxFile((1, 3, 6, 6), 4, opset=20)
    x = f.node(op, f.conv("x", 4, 3, 3, 3), **attributes)
    content = f.finish(f.gemm(f.node("Flatten", x), 5, 64))
    samples = random_samples(parse_onnx(content, "net"), 60)
    network = parse_onnx(content, "net", samples)
    assert [n.op for n in network.nodes] == ["conv2d", name, "reshape", "fully_connected"]
    graph = quantize(network, samples)
    x = network.source.arrange(samples)
    session = HostSession(compile_model(graph).program)
    y = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    ratio = signal_to_noise(outputs(network, x).reshape(y.shape), y.astype(np.float64))
    assert ratio is not None
    assert ratio > 30
    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(graph))
    again = read(path)
    tables = [g.tensors[n.inputs["table"]].data for g in (graph, again) for n in g.nodes
              if n.op == "lookup"]  # fmt: skip
    np.testing.assert_array_equal(*tables)
    assert [n.attrs for n in again.nodes if n.op == "lookup"] == [
        n.attrs for n in graph.nodes if n.op == "lookup"
    ]


def one_function(code: str, x: Coding, y: Coding, kind: str = "", **fields: Any) -> bytes:
    file = File(0)
    given = file.input((1, 256), x.scale, x.zero)
    return file.finish(file.operator(code, [given], file.tensor((1, 256), y.scale, y.zero), kind,
                                     **fields))  # fmt: skip


def codings(seed: int) -> tuple[Coding, Coding]:
    random = np.random.default_rng(seed)
    scale = 10 ** random.uniform(-3, 0)
    zeros = [int(z) for z in random.integers(-128, 128, 2)]
    scales = [float(np.float32(s)) for s in (scale, scale * random.uniform(0.3, 2))]
    return Coding(scales[0], zeros[0]), Coding(scales[1], zeros[1])


@pytest.mark.parametrize(("code", "kind"), [("ELU", ""), ("ABS", "AbsOptions")])
def test_tables_are_those_of_tflm(code: str, kind: str) -> None:
    ties = (Coding(0.5, 0), Coding(1.0, 0))
    for seed, (x, y) in enumerate([ties, *map(codings, range(150))]):
        interpreter = runtime.Interpreter.from_bytes(one_function(code, x, y, kind))
        interpreter.set_input(BYTES[None], 0)
        interpreter.invoke()
        table = tabulated(code.lower(), x, y, 1.0)[BYTES.view(np.uint8)]
        np.testing.assert_array_equal(table, interpreter.get_output(0).ravel(), err_msg=str(seed))


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_is_that_of_tensorflow_lite(approximate: bool) -> None:
    """Whose single-precision functions may be a rounding away; TFLM does not have it."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    differ = 0
    for seed in range(150):
        x, y = codings(seed)
        content = one_function("GELU", x, y, "GeluOptions", Approximate=approximate)
        machine = interpreter.Interpreter(model_content=content)
        machine.allocate_tensors()
        machine.set_tensor(machine.get_input_details()[0]["index"], BYTES[None])
        machine.invoke()
        found = machine.get_tensor(machine.get_output_details()[0]["index"]).ravel()
        name = "gelu_tanh" if approximate else "gelu"
        steps = np.abs(tabulated(name, x, y)[BYTES.view(np.uint8)].astype(int) - found)
        assert steps.max() <= 1
        differ += int(steps.sum())
    assert differ <= 2


def test_gelu_by_its_pieces_is_one_table() -> None:
    """As PyTorch exports it, whatever the order of the factors."""
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(6, 4)
    network = floats_from_torch(torch.nn.Sequential(layer, torch.nn.GELU(), layer.__class__(4, 2)),
                                torch.zeros(1, 6))  # fmt: skip
    assert [n.op for n in network.nodes] == ["fully_connected", "gelu", "fully_connected"]
    for half_first in (False, True):
        f = OnnxFile((1, 6), opset=13)
        x = f.gemm("x", 4, 6)
        gate = f.node("Add", f.node("Erf", f.node("Div", x, f.constant(2**0.5))), f.constant(1.0))
        if half_first:
            gate = f.node("Mul", gate, f.constant(0.5))
        y = f.node("Mul", x, gate)
        y = y if half_first else f.node("Mul", y, f.constant(0.5))
        samples = np.random.default_rng(0).normal(0, 1, (9, 6)).astype(np.float32)
        network = parse_onnx(f.finish(f.gemm(y, 2, 4)), "net", samples)
        assert [n.op for n in network.nodes] == ["fully_connected", "gelu", "fully_connected"]


def test_numbers_that_have_no_table() -> None:
    for alpha, words in ((-1.0, "not negative"), (float("nan"), "must be finite")):
        with pytest.raises(ValueError, match=words):
            tabulated("elu", Coding(0.1, 0), Coding(0.1, 0), alpha)
    with pytest.raises(ValueError, match="leaves the range of float32"):
        tabulated("softplus", Coding(1e38, 0), Coding(1e-3, 0))
    f = OnnxFile((1, 6))
    with pytest.raises(ModelError, match="alpha -1; 0 or more"):
        parse_onnx(f.finish(f.node("Elu", "x", alpha=-1.0)), "net")


@pytest.mark.parametrize(
    ("slopes", "op"),
    [
        ([0.25, 0.25, 0.25, 0.25], "leaky_relu"),
        ([0.1, -0.2, 0.4, 1.0], "prelu"),
        ([1.5, 1.0, 2.0, 1.2], "prelu"),
        ([0.1, 2.0, -0.3, 0.5], "prelu"),
    ],
)
def test_a_slope_for_each_channel(slopes: list[float], op: str, tmp_path: Path) -> None:
    """Of a map that more than one operator reads, so that nothing becomes part of its layer."""
    f = OnnxFile((1, 3, 6, 6), 4)
    x = f.conv("x", 4, 3, 3, 3)
    y = f.node("PRelu", x, f.constant(np.reshape(slopes, (4, 1, 1))))
    content = f.finish(f.gemm(f.node("Flatten", y), 5, 64))
    samples = random_samples(parse_onnx(content, "net"), 60)
    network = parse_onnx(content, "net", samples)
    assert op in [n.op for n in network.nodes]
    graph = quantize(network, samples)
    x = network.source.arrange(samples)
    session = HostSession(compile_model(graph).program)
    found = decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, x)]))
    ratio = signal_to_noise(outputs(network, x).reshape(found.shape), found.astype(np.float64))
    assert ratio is not None
    assert ratio > 30
    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(graph))
    assert [n.op for n in read(path).nodes] == [n.op for n in graph.nodes]
