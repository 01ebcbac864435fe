"""QLinearConv and its like: the network in integers that ONNX Runtime computes, within one unit.

It requantizes in float and rounds ties to even, TensorFlow Lite in fixed point.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.support.onnxfile import OnnxFile

from tinyflash.compiler import compile_model
from tinyflash.errors import ModelError
from tinyflash.graph import Graph
from tinyflash.quantize import quantize
from tinyflash.read import read
from tinyflash.read.onnx.expanding import EXPANSIONS
from tinyflash.read.onnx.reader import parse_onnx
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.units import decode, encode

onnxruntime = pytest.importorskip("onnxruntime")
SHAPE = (1, 4, 6, 5)
MS = "com.microsoft"
X, Y = 1 / 32, 0.05  # scales


class Integers(OnnxFile):
    """A model between QuantizeLinear and DequantizeLinear. `kind`: of all activations."""

    def __init__(self, kind: Any, seed: int, opset: int = 13) -> None:
        super().__init__(SHAPE, seed, opset)
        self.kind = kind

    def how(self, scale: float, zero: int = 3) -> tuple[str, str]:
        offset = 128 if self.kind is np.uint8 else 0
        return self.constant(scale), self.constant(zero + offset, self.kind)

    def start(self) -> str:
        return self.node("QuantizeLinear", "x", *self.how(X))

    def own(self, op: str, *inputs: str, **attributes: Any) -> str:
        y = self.node(op, *inputs, **attributes)
        self.nodes[-1].domain = MS
        return y

    def weights(self, *shape: int, channels: int = 0, spread: float = 0.02) -> tuple[str, str, str]:
        data = self.constant(self.random.integers(-127, 128, shape), np.int8)
        scale = self.random.uniform(0.3, 1, channels or ()) * spread
        return data, self.constant(scale), self.constant(np.zeros(channels or (), np.int8), np.int8)

    def bias(self, count: int) -> str:
        return self.constant(self.random.integers(-3000, 3000, count), np.int32)

    def end(self, y: str, scale: float = Y, zero: int = 3) -> bytes:
        return self.finish(self.node("DequantizeLinear", y, *self.how(scale, zero)))


Case = Callable[[Integers], bytes]


def conv(f: Integers, channels: int = 0, **attributes: Any) -> bytes:
    w = f.weights(8, 4 // attributes.get("group", 1), 3, 3, channels=channels)
    return f.end(f.node("QLinearConv", f.start(), *f.how(X), *w, *f.how(Y), f.bias(8),
                        **attributes))  # fmt: skip


def matmul(f: Integers, channels: int = 0) -> bytes:
    return f.end(f.node("QLinearMatMul", f.start(), *f.how(X), *f.weights(5, 7, channels=channels),
                        *f.how(Y)))  # fmt: skip


def gemm(f: Integers, turned: int, *, real: bool = False) -> bytes:
    flat = f.node("Flatten", f.start())
    w = f.weights(*((6, 120) if turned else (120, 6)), channels=6, spread=0.005)
    inputs = [flat, *f.how(X), *w, f.bias(6)]
    if not real:
        return f.end(f.own("QGemm", *inputs, *f.how(Y), transB=turned))
    y = f.own("QGemm", *inputs, transB=turned)
    coded = f.node("QuantizeLinear", y, *f.how(Y))
    return f.end(coded)


def two(op: str) -> Case:
    """Of two maps that no operator has rounded before."""

    def case(f: Integers) -> bytes:
        x = f.start()
        other = f.node("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        return f.end(f.own(op, x, *f.how(X), other, *f.how(X), *f.how(0.09)), 0.09)

    return case


def pool(f: Integers) -> bytes:
    return f.end(f.own("QLinearAveragePool", f.start(), *f.how(X), *f.how(X), kernel_shape=[2, 2],
                       strides=[2, 2]), X)  # fmt: skip


def overall(f: Integers) -> bytes:
    return f.end(f.own("QLinearGlobalAveragePool", f.start(), *f.how(X), *f.how(0.004)), 0.004)


def concat(f: Integers) -> bytes:
    x = f.start()
    other = f.node("QLinearConv", x, *f.how(X), *f.weights(4, 4, 1, 1), *f.how(Y, -9))
    return f.end(f.own("QLinearConcat", *f.how(Y), x, *f.how(X), other, *f.how(Y, -9), axis=1))


def largest(f: Integers) -> bytes:
    """Operators that move integers, with none of their own."""
    x = f.node("MaxPool", f.start(), kernel_shape=[2, 2], strides=[2, 2])
    x = f.node("Transpose", f.node("Reshape", x, f.integers(1, 4, 6)), perm=[0, 2, 1])
    return f.end(f.node("QLinearMatMul", x, *f.how(X), *f.weights(4, 5), *f.how(Y)))


def function(op: str, scale: float, zero: int, **attributes: Any) -> Case:
    def case(f: Integers) -> bytes:
        return f.end(
            f.own(op, f.start(), *f.how(X), *f.how(scale, zero), **attributes), scale, zero
        )

    return case


CASES: dict[str, Case] = {
    "conv": conv,
    "conv by channels": lambda f: conv(f, 8, pads=[1, 1, 1, 1], strides=[2, 1]),
    "conv in groups": lambda f: conv(f, 8, group=2, dilations=[1, 2]),
    "matmul": matmul,
    "matmul by channels": lambda f: matmul(f, 7),
    "gemm": lambda f: gemm(f, 0),
    "gemm, turned": lambda f: gemm(f, 1),
    "gemm, real": lambda f: gemm(f, 1, real=True),
    "add": two("QLinearAdd"),
    "mul": two("QLinearMul"),
    "pool": pool,
    "global": overall,
    "concat": concat,
    "largest": largest,
    "sigmoid": function("QLinearSigmoid", 1 / 256, -128),
    "leaky": function("QLinearLeakyRelu", 0.03, 5, alpha=0.2),
    "softmax": function("QLinearSoftmax", 1 / 256, -128, axis=1, opset=13),
}
TWO_ROUNDINGS = ("concat",)  # a part that has another scale is recoded


def infer(graph: Graph, x: np.ndarray) -> np.ndarray:
    session = HostSession(compile_model(graph).program)
    last = x.transpose(0, 2, 3, 1) if graph.input.shape[1:] != x.shape[1:] else x
    return decode(graph.output, np.stack([session.infer(one) for one in encode(graph.input, last)]))


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("name", CASES)
def test_within_one_unit_of_onnx_runtime(name: str, kind: Any, tmp_path: Path) -> None:
    differ = total = 0
    for seed in range(6):
        f = Integers(kind, seed)
        content = CASES[name](f)
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        graph = read(path)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        x = np.random.default_rng(seed).normal(0, 1.2, (20, *SHAPE[1:])).astype(np.float32)
        wanted = np.stack([session.run(None, {"x": one[None]})[0][0] for one in x])
        found = infer(graph, x)
        if wanted.ndim == 4 and graph.output.shape[1:] != wanted.shape[1:]:
            wanted = wanted.transpose(0, 2, 3, 1)
        assert graph.output.quant is not None
        steps = np.abs(found.reshape(20, -1) - wanted.reshape(20, -1)) / graph.output.quant.scale[0]
        assert np.ptp(wanted) / graph.output.quant.scale[0] > 20
        assert steps.max() < 1.01 + (name in TWO_ROUNDINGS)
        differ, total = differ + int((steps > 0.5).sum()), total + steps.size
    assert differ < 0.3 * total


def test_every_kind_has_a_case() -> None:
    made: set[str] = set()
    for case in CASES.values():
        model = onnx.load_from_string(case(Integers(np.int8, 0)))
        made.update(f"{n.domain}.{n.op_type}".lstrip(".") for n in model.graph.node)
    assert set(EXPANSIONS) - {f"{MS}.QLinearConv"} <= made


def wrong(node: Callable[[Integers], str]) -> bytes:
    f = Integers(np.uint8, 0)
    return f.end(node(f))


REFUSED: dict[str, tuple[Callable[[Integers], str], str]] = {
    "dynamic weights": (
        lambda f: f.node("ConvInteger", f.start(), f.weights(8, 4, 3, 3)[0]),
        r"\(ConvInteger\): is not supported; quantize statically instead, in QDQ format",
    ),
    "channels last": (
        lambda f: f.own("QLinearAveragePool", f.start(), *f.how(X), *f.how(X),
                        kernel_shape=[2, 2], channels_last=1),
        "attribute channels_last, which is not supported",
    ),
    "an opset of its own": (
        lambda f: f.own("QLinearSoftmax", f.start(), *f.how(X), *f.how(1 / 256), opset=11),
        "has an opset of its own",
    ),
    "integers as real numbers": (
        lambda f: f.node("Relu", f.start()),
        "does not come from a QuantizeLinear",
    ),
    "another scale": (
        lambda f: f.own("QLinearLeakyRelu", f.start(), *f.how(0.5), *f.how(Y)),
        "another scale or zero point than the QuantizeLinear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    node, words = REFUSED[what]
    with pytest.raises(ModelError, match=words):
        quantize(parse_onnx(wrong(node), "net"))
