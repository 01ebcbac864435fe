"""ONNX models: read, quantized on a few samples if they are small, compiled and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from tests.fuzz.models import run_graph
from tests.fuzz.mutator import flip
from tests.fuzz.target import MOST_MACS, Target, refusals_allowed
from tests.support.onnxmodels import NETWORKS

from tinyflash.quantize import quantize
from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.read.onnx.reader import read_onnx

OPERATORS = (
    *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "Div", "Flatten"),
    *("Gemm", "GlobalAveragePool", "HardSwish", "MatMul", "MaxPool", "Mul", "Pad", "Reshape"),
    *("Relu", "Sigmoid", "Softmax", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Slice", "Gather"),
    *("QuantizeLinear", "DequantizeLinear", "Constant", "Shape", "Cast", "Expand", "Range", "If"),
    *("ReduceMean", "Split", "Where", "Identity", "Dropout", "PRelu", "LeakyRelu", "Max", "Min"),
)
NUMBERS = (0, 1, -1, 2, 3, 5, 255, 256, 65535, 65536, 2**31, 2**62, -(2**63))
REALS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("nan"), 0.5)
ATTRIBUTES = ("axis", "axes", "perm", "pads", "strides", "group", "kernel_shape", "auto_pad")
TYPES = ("float32", "float64", "float16", "int8", "uint8", "int32", "int64", "bool")


def _run(path: Path) -> None:
    network = read_onnx(path)
    samples = None
    if _macs(network) < MOST_MACS:
        samples = np.random.default_rng(0).normal(size=(2, *network.source.given))
    graph = quantize(network, samples)
    with refusals_allowed():
        run_graph(graph, path)


def _macs(network: FloatGraph) -> int:
    """Multiplications of float inference, and elements."""
    total = 0
    for node in network.nodes:
        each = 1 if node.weights is None else node.weights.w.size
        total += each * int(np.prod(node.shape))
    return total


# ---- Mutations ----------------------------------------------------------------------------------


def _mutate(content: bytes, random: Random, _: Path) -> bytes:
    """A message changed field by field; now and then the bytes themselves."""
    if random.random() < 0.15:
        return flip(content, random)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        for _ in range(random.choice((1, 1, 2, 4))):
            random.choice(_CHANGES)(model, random)
        return bytes(model.SerializeToString())
    except Exception:  # it was damaged before, or cannot hold what was drawn
        return flip(content, random)


def _values(model: Any) -> list[str]:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    return [*names, *(t.name for t in model.graph.initializer), "x", ""]


def _operator(model: Any, random: Random) -> None:
    random.choice(model.graph.node).op_type = random.choice(OPERATORS)


def _operand(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    names = random.choice((node.input, node.input, node.output))
    names[random.randrange(len(names))] = random.choice(_values(model))


def _operands(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    if random.random() < 0.5:
        node.input.append(random.choice(_values(model)))
    else:
        del node.input[random.randrange(len(node.input)) :]


def _attribute(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    names = [a.name for a in node.attribute] or list(ATTRIBUTES)
    name = random.choice((random.choice(names), random.choice(ATTRIBUTES)))
    kept = [a for a in node.attribute if a.name != name]
    value = random.choice(
        (
            random.choice(NUMBERS),
            random.choice(REALS),
            [random.choice(NUMBERS) for _ in range(random.randrange(1, 6))],
            "SAME_UPPER",
            numpy_helper.from_array(np.array([random.choice((-2, 0, 3))])),
        )
    )
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _constant(model: Any, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    what = random.randrange(5)
    if what == 0:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(NUMBERS)
    elif what == 1:
        tensor.raw_data = flip(tensor.raw_data, random)
    elif what == 2:
        tensor.data_type = random.randrange(26)
    else:
        data = numpy_helper.to_array(tensor)
        if what == 3:
            data = data.ravel()[: random.randrange(4)]
        found = np.array(data).astype(random.choice(TYPES))
        if found.size and found.dtype.kind == "f":
            found.ravel()[random.randrange(found.size)] = random.choice(REALS)
        tensor.CopyFrom(numpy_helper.from_array(found, tensor.name))


def _source(model: Any, random: Random) -> None:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    random.choice(dims).dim_value = random.choice(NUMBERS)


def _order(model: Any, random: Random) -> None:
    nodes = list(model.graph.node)
    what = random.randrange(3)
    if what == 0:
        random.shuffle(nodes)
    elif what == 1:
        nodes.insert(random.randrange(len(nodes)), random.choice(nodes))
    else:
        del nodes[random.randrange(len(nodes))]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _version(model: Any, random: Random) -> None:
    model.opset_import[0].version = random.choice((7, 9, 11, 13, 18, 21, *NUMBERS))


_CHANGES: tuple[Callable[[Any, Random], None], ...] = (
    *(_operator, _operand, _operands, _attribute, _attribute, _constant, _constant, _source),
    *(_order, _version),
)


def _seeds(_: Path) -> list[bytes]:
    return [make() for make in NETWORKS.values()]


ONNX = Target(_seeds, _run, _mutate, ".onnx")
