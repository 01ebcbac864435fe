"""Bad models by name: how a good file is changed, and the words of its refusal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.support.flatfile import FileOperator
from tests.support.models import File

Change = Callable[[File], None]


def tensor_of(operator: int, position: int, field: str, value: object) -> Change:
    """Changes a field of an operator's input tensor."""

    def change(file: File) -> None:
        setattr(file.tensors[file.operators[operator].inputs[position]], field, value)

    return change


def output_of(operator: int, field: str, value: object) -> Change:
    return lambda file: setattr(file.tensors[file.operators[operator].outputs[0]], field, value)


def operator(index: int, field: str, value: object) -> Change:
    return lambda file: setattr(file.operators[index], field, value)


def option(index: int, field: str, value: object) -> Change:
    return lambda file: file.operators[index].fields.update({field: value})


def both(*changes: Change) -> Change:
    def change(file: File) -> None:
        for one in changes:
            one(file)

    return change


def without_end(file: File) -> None:
    file.operators.pop()


def joined_constants(file: File) -> None:
    half = file.constant([1, 2], "INT8", scale=0.1, zero=0)
    whole = file.tensor((4,), 0.2)
    join = FileOperator("CONCATENATION", [half, half], [whole], "ConcatenationOptions", {"Axis": 0})
    file.operators.insert(0, join)
    file.operators[4].inputs[1] = whole


def network(field: str, value: object) -> Change:
    return lambda file: setattr(file, field, value)


CHANGES: dict[str, tuple[Change, str]] = {
    # The network as a whole.
    "no subgraph": (network("subgraphs", 0), "0 subgraphs; exactly one"),
    "two subgraphs": (network("subgraphs", 2), "2 subgraphs; exactly one"),
    "other identifier": (network("identifier", b"TFL4"), "not a .tflite file"),
    "two inputs": (network("inputs", [0, 1]), "2 inputs; exactly one"),
    "no input": (network("inputs", []), "0 inputs; exactly one"),
    "two outputs": (
        network("outputs", [1, 2]),
        r"2 outputs; choose one with --output: 0 \(tensor 1\), 1",
    ),
    "no output": (network("outputs", []), "has no outputs"),
    "input not there": (network("inputs", [99]), "input is tensor 99, which is not there"),
    "output not there": (network("outputs", [-5]), "output is tensor -5, which is not there"),
    "newer schema": (network("version", 4), "schema version 4; 3 is supported"),
    "100,000 operators": (
        lambda f: f.operators.extend([f.operators[2]] * 100_000),
        "has 100,008 operators; networks of up to 1,024",
    ),
    "20,000 tensors": (
        lambda f: f.tensors.extend([f.tensors[0]] * 20_000),
        "has 20,016 tensors; networks of up to 16,384",
    ),
    "output is the input": (
        both(without_end, network("outputs", [1])),
        "no layer makes its output",
    ),
    "output nobody makes": (
        both(without_end, lambda f: f.finish(f.tensor((1, 5), 0.1))),
        "no layer makes its output, tensor 16",
    ),
    "no operators": (network("operators", []), "no layer makes its output"),
    "batch": (tensor_of(0, 0, "shape", (4, 8, 8, 3)), "batch 4; only batch 1"),
    # Types.
    "int16 input": (tensor_of(0, 0, "type", "INT16"), "INT16"),
    "float layer": (output_of(1, "type", "FLOAT32"), "FLOAT32: a float or partly float model"),
    "hybrid": (tensor_of(1, 1, "type", "FLOAT32"), "FLOAT32: a float or partly float model"),
    "int16 activations": (output_of(1, "type", "INT16"), "uses INT16 where INT8"),
    "uint8 activations": (output_of(1, "type", "UINT8"), "uses UINT8 where INT8"),
    "int8 bias": (
        both(tensor_of(1, 2, "type", "INT8"), tensor_of(1, 2, "data", bytes(4))),
        "uses INT8 where INT32",
    ),
    "int64 bias": (tensor_of(1, 2, "type", "INT64"), "uses INT64 where INT32"),
    "variable": (tensor_of(1, 1, "variable", True), "state kept between runs"),
    # Scales.
    "no quantization": (output_of(1, "scale", None), "has no quantization"),
    "scale 0": (tensor_of(1, 1, "scale", [0.1, 0.0, 0.1, 0.1]), "scale 0 with weights other than"),
    "no weight scale": (tensor_of(1, 1, "scale", []), "has no quantization"),
    "nan scale": (output_of(1, "scale", [float("nan")]), "scale nan"),
    "infinite scale": (tensor_of(1, 1, "scale", [float("inf")] * 4), "scale inf"),
    "zero scale": (output_of(1, "scale", [0.0]), "scale 0.0"),
    "negative scale": (output_of(2, "scale", [-0.5]), "scale -0.5"),
    "zero point": (output_of(1, "zero", [128]), r"zero point 128, expected one in \[-128, 127\]"),
    "many scales": (
        both(output_of(1, "scale", [0.5, 0.5]), output_of(1, "zero", [1, 1])),
        "2 scales, expected 1",
    ),
    "more zero points": (output_of(1, "zero", [1, 1]), "1 scales and 2 zero points"),
    "zero point of 64 bits": (output_of(1, "zero", [-(2**63)]), "zero point -9223372036854775808"),
    "weight zero point": (tensor_of(1, 1, "zero", [0, 0, 1, 0]), "weights have a zero point"),
    "weight scales": (
        both(tensor_of(1, 1, "scale", [0.1] * 3), tensor_of(1, 1, "zero", [0] * 3)),
        "3 weight scales for 4 channels",
    ),
    "scale axis": (tensor_of(2, 1, "axis", 0), "along dimension 0, expected 3"),
    "bias scale": (tensor_of(5, 2, "scale", [7.0]), "bias scale 7 is not input scale times"),
    "softmax scale": (output_of(6, "scale", [0.01]), "output scale 1/256"),
    # Shapes.
    "dynamic": (output_of(1, "shape", (1, -1, 4, 4)), r"shape \[1, -1, 4, 4\]; only fixed shapes"),
    "empty": (output_of(1, "shape", (1, 0, 4, 4)), "only fixed shapes"),
    "vast": (output_of(1, "shape", (1, 2**31 - 1, 2**31 - 1, 2**31 - 1)), "too large"),
    "many dimensions": (output_of(1, "shape", (1,) * 9), "has 9 dimensions; 6 are supported"),
    "enormous": (output_of(1, "shape", (1, 30000, 30000, 900)), "too large"),
    "output side": (output_of(1, "shape", (1, 5, 4, 4)), "does not follow from the input's"),
    "weights' depth": (tensor_of(1, 1, "shape", (4, 3, 3, 2)), "bytes, its shape"),
    "groups": (
        both(
            tensor_of(1, 1, "shape", (4, 3, 3, 1)),
            tensor_of(1, 1, "data", np.zeros((4, 3, 3, 1))),
        ),
        "do not fit 3 input channels in equal groups",
    ),
    "bias length": (tensor_of(1, 2, "shape", (3,)), "16 bytes, its shape 12"),
    "short weights": (tensor_of(1, 1, "data", b"123"), "has 3 bytes, its shape 108"),
    "long weights": (tensor_of(1, 1, "data", bytes(109)), "has 109 bytes, its shape 108"),
    "no weights": (tensor_of(1, 1, "shape", (4, 0, 3, 3)), "only fixed shapes"),
    "weights elsewhere": (tensor_of(1, 1, "outside", 4096), "data outside of the FlatBuffer"),
    "sum of shapes": (output_of(2, "shape", (1, 4, 2, 8)), "does not follow"),
    "dense depth": (output_of(4, "shape", (1, 3)), "mean_4.*output shape"),
    # Operators.
    "unsupported": (
        operator(3, "code", "DIV"),
        r"div_3 \(DIV\): is not supported; multiply by the reciprocal",
    ),
    "custom": (
        both(operator(3, "code", "CUSTOM"), network("custom", b"My\x1b[2J\xff\xfeOp\n")),
        r"custom_my\[2j.*op_3 \(CUSTOM My\[2J.*Op\): is not supported",
    ),
    "from the future": (operator(3, "code", "9999"), r"\(operator number 9999\): is not supp"),
    "itself": (operator(1, "inputs", [4, 2, 3]), "tensor 4, which no earlier layer computes"),
    "a circle": (
        both(operator(1, "inputs", [7, 2, 3]), operator(2, "inputs", [4, 5, 6])),
        "reads tensor 7, which no earlier layer computes",
    ),
    "the input made": (
        both(operator(1, "outputs", [0]), operator(2, "inputs", [0, 5, 6])),
        "computes tensor 0, which is given",
    ),
    "a constant made": (output_of(1, "data", bytes(64)), "computes tensor 4, which is a constant"),
    "constants joined": (
        joined_constants,
        "joins or moves constants between different scales",
    ),
    "dangling": (operator(3, "inputs", [2, 70]), "tensor 70, which is not there"),
    "out of order": (operator(1, "inputs", [7, 2, 3]), "which no earlier layer computes"),
    "missing operand": (operator(1, "inputs", [1]), "has 1 inputs, expected 3"),
    "left out": (operator(1, "inputs", [-1, 2, 3]), "input 0 is missing"),
    "two results": (operator(1, "outputs", [4, 5]), "has 2 outputs, one is supported"),
    "same result twice": (
        lambda f: f.operators.insert(2, f.operators[1]),
        "computes tensor 4 again",
    ),
    "weights at run time": (tensor_of(1, 1, "data", None), "must be a constant"),
    "no stride": (option(1, "StrideH", 0), "stride.*1 to 255"),
    "padding scheme": (option(1, "Padding", 7), "padding scheme 7"),
    "fused tanh": (option(1, "FusedActivationFunction", 4), "fused activation number 4"),
    "float goes on": (
        lambda f: f.operators.append(f.operators.pop(0)),
        "reads tensor 1, which no earlier layer computes",
    ),
    "axes apart": (tensor_of(4, 1, "data", [1, 3]), "adjacent ones are supported"),
    "float axes": (tensor_of(4, 1, "type", "FLOAT32"), "constant input 1 is FLOAT32"),
    "axis beyond": (tensor_of(4, 1, "data", [1, 9]), "axis 9 of a tensor of 4 dimensions"),
}
