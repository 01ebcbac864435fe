"""ONNX models made in a test, operator by operator, with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tinyflash.quantize.floatgraph import FloatGraph

Dims = tuple[int | str, ...]


class OnnxFile:
    """A model in the making; what its methods return are names of values."""

    def __init__(self, shape: Dims, seed: int = 0, opset: int = 18) -> None:
        self.random = np.random.default_rng(seed)
        self.shape, self.opset = shape, opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, data: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def normal(self, *shape: int, scale: float = 1.0) -> str:
        return self.constant(self.random.normal(0, scale, shape))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}{name}", **attributes))
        return name

    def split(self, x: str, sizes: list[int], axis: int) -> list[str]:
        names = [f"v{len(self.nodes)}_{i}" for i in range(len(sizes))]
        older: dict[str, Any] = {"split": sizes} if self.opset < 13 else {}
        operands = [x] if older else [x, self.integers(*sizes)]
        self.nodes.append(helper.make_node("Split", operands, names, axis=axis, **older))
        return names

    def conv(self, x: str, out: int, depth: int, *kernel: int, **attributes: Any) -> str:
        scale = 1 / np.sqrt(depth * np.prod(kernel))
        w = self.normal(out, depth, *kernel, scale=scale)
        return self.node("Conv", x, w, self.normal(out, scale=0.2), **attributes)

    def norm(self, x: str, channels: int) -> str:
        positive = self.constant(self.random.uniform(0.5, 2, channels))
        spread = self.constant(self.random.uniform(0.5, 2, channels))
        shift, mean = self.normal(channels, scale=0.3), self.normal(channels, scale=0.3)
        return self.node("BatchNormalization", x, positive, shift, mean, spread)

    def gemm(self, x: str, out: int, depth: int, **attributes: Any) -> str:
        shape = (out, depth) if attributes.get("transB") else (depth, out)
        w = self.normal(*shape, scale=1 / np.sqrt(depth))
        return self.node("Gemm", x, w, self.normal(out, scale=0.2), **attributes)

    def model(self, output: str) -> Any:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.constants,
        )
        domains = sorted({node.domain for node in self.nodes} - {""})
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in domains]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def finish(self, output: str) -> bytes:
        return self.model(output).SerializeToString()  # type: ignore[no-any-return]


def random_samples(graph: FloatGraph, count: int, seed: int = 0) -> np.ndarray:
    shape = (count, *graph.source.given)
    return np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32)
