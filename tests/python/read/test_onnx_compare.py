"""What is read of an ONNX model is held against ONNX's own evaluation of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.support.onnxfile import OnnxFile, random_samples
from tests.support.onnxmodels import NETWORKS

from tinyflash.errors import ModelError
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.read import read
from tinyflash.read.onnx import compare, folding, pointwise, reader
from tinyflash.read.onnx.compare import alike
from tinyflash.read.onnx.judge import evaluator
from tinyflash.read.onnx.reader import parse_onnx, read_onnx

X = np.random.default_rng(0).normal(size=(3, 4, 6, 6)).astype(np.float32)


def model() -> tuple[bytes, str]:
    """A network with a leaky ReLU in the middle, and the name of what that computes."""
    f = OnnxFile((1, 4, 6, 6))
    leaky = f.node("LeakyRelu", f.conv("x", 5, 4, 3, 3), alpha=0.3)
    return f.finish(f.gemm(f.node("Flatten", leaky), 3, 80)), leaky


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_read_as_they_are(name: str) -> None:
    content = NETWORKS[name]()
    samples = random_samples(parse_onnx(content, name), 3)
    parse_onnx(content, name, samples)


def test_the_first_tensor_that_is_misread_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content, name = model()
    forgetful = pointwise.relu
    monkeypatch.setitem(reader._RULES, "LeakyRelu", forgetful)
    with pytest.raises(ModelError, match=rf"net: '{name}', computed by node LeakyRelu{name}") as e:
        parse_onnx(content, "net", X)
    assert "\n" not in str(e.value)
    assert "--no-compare" in str(e.value)
    parse_onnx(content, "net", X, compare=False)


def test_a_fault_of_simplification_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: FloatGraph) -> FloatGraph:
        nodes = [
            replace(n, attrs=replace(n.attrs, value=0.2)) if n.op == "leaky_relu" else n  # type: ignore[type-var, call-arg]
            for n in graph.nodes
        ]
        return replace(graph, nodes=tuple(nodes))

    monkeypatch.setattr(reader, "simplify", wrong)
    with pytest.raises(ModelError, match="net: is not, once simplified, what"):
        parse_onnx(model()[0], "net", X)


def test_a_constant_that_is_computed_wrongly_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    f = OnnxFile((1, 4, 6, 6))
    scale = f.node("Expand", f.constant(2.0), f.integers(4, 1, 1))
    content = f.finish(f.node("Mul", "x", scale))
    monkeypatch.setitem(folding._BOUNDED, "Expand", lambda _: np.ones((4, 1, 1), np.float32))
    with pytest.raises(ModelError, match=rf"net: '{scale}', computed by node Expand"):
        parse_onnx(content, "net", X)


def quantized() -> bytes:
    f = OnnxFile((1, 4, 6, 6))
    how = f.constant(0.05), f.constant(3, np.int8)
    x = f.node("DequantizeLinear", f.node("QuantizeLinear", "x", *how), *how)
    x = f.node("LeakyRelu", x, alpha=0.3)
    return f.finish(f.node("DequantizeLinear", f.node("QuantizeLinear", x, *how), *how))


def test_a_quantized_model_is_compared_without_samples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(quantized())
    read(path)
    monkeypatch.setitem(reader._RULES, "LeakyRelu", pointwise.relu)
    with pytest.raises(ModelError, match="computed by node LeakyRelu"):
        read(path)
    read(path, compare=False)


def test_data_beside_the_model_is_evaluated(tmp_path: Path) -> None:
    model = onnx.load_from_string(NETWORKS["plain"]())
    path = tmp_path / "net.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, size_threshold=0)
    read_onnx(path, random_samples(read_onnx(path), 2))


def test_a_model_that_onnx_does_not_evaluate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no\nsuch thing")

    monkeypatch.setattr(compare, "evaluator", broken)
    with pytest.raises(
        ModelError, match=r"ONNX itself cannot evaluate it \(no such thing\); check"
    ):
        parse_onnx(model()[0], "net", X)


def test_both_judges_agree() -> None:
    pytest.importorskip("onnxruntime")
    for name, make in NETWORKS.items():
        content = make()
        x = random_samples(parse_onnx(content, name), 2)
        (output,) = (v.name for v in onnx.load_from_string(content).graph.output)
        one, two = (evaluator(content, None, [output], by) for by in ("runtime", "reference"))
        assert one.by != two.by
        assert alike(one.values(x)[output], two.values(x)[output]), name


def test_what_is_alike() -> None:
    wanted = np.array([[1000.0, 0.0, np.inf, np.nan]])
    assert alike(wanted + np.array([0.09, 0.05, 1, 0]), wanted)
    assert not alike(wanted + np.array([0.11, 0, 0, 0]), wanted)
    assert not alike(np.zeros((1, 4)), wanted)
    assert not alike(np.zeros((1, 3)), wanted)
    assert alike(np.zeros(3), np.zeros(3))
    assert not alike(np.ones(3), np.zeros(3))
