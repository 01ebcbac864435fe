"""Files that cannot be used: always one ModelError line that names file, layer and cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.python.models import File, Shape
from tests.python.networks import NETWORKS, everything

from tinyflash.errors import ModelError
from tinyflash.read import read
from tinyflash.verify import verify

Change = Callable[[File], None]


def refusal(path: Path, content: bytes) -> str:
    """What the reader says of a file, which must be one line that begins with its path."""
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


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


def network(field: str, value: object) -> Change:
    return lambda file: setattr(file, field, value)


CHANGES: dict[str, tuple[Change, str]] = {
    # The network as a whole.
    "no subgraph": (network("subgraphs", 0), "0 subgraphs; exactly one"),
    "two subgraphs": (network("subgraphs", 2), "2 subgraphs; exactly one"),
    "other identifier": (network("identifier", b"TFL4"), "not a .tflite file"),
    "two inputs": (network("inputs", [0, 1]), "2 inputs; exactly one"),
    "no input": (network("inputs", []), "0 inputs; exactly one"),
    "two outputs": (network("outputs", [1, 2]), "2 outputs; exactly one"),
    "no output": (network("outputs", []), "0 outputs; exactly one"),
    "input not there": (network("inputs", [99]), "input is tensor 99, which is not there"),
    "output not there": (network("outputs", [-5]), "output is tensor -5, which is not there"),
    "no operators": (network("operators", []), "holds no int8 layers"),
    "batch": (tensor_of(0, 0, "shape", (4, 8, 8, 3)), "batch 4; only batch 1"),
    # Types.
    "int16 input": (tensor_of(0, 0, "type", "INT16"), "INT16"),
    "float layer": (output_of(1, "type", "FLOAT32"), "FLOAT32: a float or partly float model"),
    "hybrid": (tensor_of(1, 1, "type", "FLOAT32"), "FLOAT32: a float or partly float model"),
    "int16 activations": (output_of(1, "type", "INT16"), "uses INT16 where INT8"),
    "uint8 activations": (output_of(1, "type", "UINT8"), "uses UINT8 where INT8"),
    "int64 bias": (tensor_of(1, 2, "type", "INT64"), "uses INT64 where INT32"),
    "variable": (tensor_of(1, 1, "variable", True), "state kept between runs"),
    # Scales.
    "no quantisation": (output_of(1, "scale", None), "has no quantisation"),
    "no weight scale": (tensor_of(1, 1, "scale", []), "has no quantisation"),
    "nan scale": (output_of(1, "scale", [float("nan")]), "scale nan"),
    "infinite scale": (tensor_of(1, 1, "scale", [float("inf")] * 4), "scale inf"),
    "zero scale": (output_of(1, "scale", [0.0]), "scale 0.0"),
    "negative scale": (output_of(2, "scale", [-0.5]), "scale -0.5"),
    "zero point": (output_of(1, "zero", [128]), r"zero point 128, expected one in \[-128, 127\]"),
    "many scales": (output_of(1, "scale", [0.5, 0.5]), "2 scales, expected 1"),
    "weight zero point": (tensor_of(1, 1, "zero", [0, 0, 1, 0]), "weights have a zero point"),
    "weight scales": (tensor_of(1, 1, "scale", [0.1] * 3), "3 weight scales for 4 channels"),
    "scale axis": (tensor_of(2, 1, "axis", 0), "along dimension 0, expected 3"),
    "huge multiplier": (output_of(1, "scale", [1e-30]), "beyond the range of int32"),
    "sum's scale": (output_of(3, "scale", [1e-12]), "output scale 1e-12 is too small"),
    "bias scale": (tensor_of(5, 2, "scale", [7.0]), "bias scale 7 is not input scale times"),
    "softmax scale": (output_of(6, "scale", [0.01]), "output scale 1/256"),
    # Shapes.
    "dynamic": (output_of(1, "shape", (1, -1, 4, 4)), r"shape \[1, -1, 4, 4\]; only fixed shapes"),
    "empty": (output_of(1, "shape", (1, 0, 4, 4)), "only fixed shapes"),
    "enormous": (output_of(1, "shape", (1, 30000, 30000, 900)), "too large"),
    "output side": (output_of(1, "shape", (1, 5, 4, 4)), "does not follow from the input's"),
    "weights' depth": (tensor_of(1, 1, "shape", (4, 3, 3, 2)), "bytes, its shape"),
    "groups": (
        lambda f: (
            tensor_of(1, 1, "shape", (4, 3, 3, 1))(f),
            tensor_of(1, 1, "data", np.zeros((4, 3, 3, 1)))(f),
        )[0],
        "do not fit 3 input channels in equal groups",
    ),
    "bias length": (tensor_of(1, 2, "shape", (3,)), "16 bytes, its shape 12"),
    "short weights": (tensor_of(1, 1, "data", b"123"), "has 3 bytes, its shape 108"),
    "sum of shapes": (output_of(2, "shape", (1, 4, 2, 8)), "does not follow"),
    "dense depth": (output_of(4, "shape", (1, 3)), "mean_4.*output shape"),
    # Operators.
    "unsupported": (
        operator(3, "code", "DIV"),
        r"div_3 \(DIV\): is not supported; supported are ADD",
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


@pytest.mark.parametrize("name", CHANGES)
def test_refused(name: str, tmp_path: Path) -> None:
    change, words = CHANGES[name]
    file = everything()
    change(file)
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


def test_the_unchanged_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(everything().finish())
    assert len(read(path).nodes) == 6


def product(a: Shape, b: Shape, y: Shape, scale: float = 0.1) -> File:
    """A product y of an input of shape a and of what is made of it in shape b."""
    file = File(1)
    x = file.input(a)
    other = file.reshape(file.dense(x, int(np.prod(b))), b)
    file.finish(file.operator("MUL", [x, other], file.tensor(y, scale), "MulOptions"))
    return file


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (product((1, 4, 3, 5), (1, 1, 1, 4), (1, 4, 3, 5)), "is neither the output's.*nor a row"),
        (product((1, 4, 3, 5), (1, 1, 1, 5), (1, 4, 5, 3)), "neither input has the output's shape"),
        (
            product((1, 4, 3, 5), (1, 1, 1, 5), (1, 4, 3, 5), 1e-9),
            "output scale 1e-09 is too small",
        ),
    ],
)
def test_products_that_do_not_fit(file: File, words: str, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.tflite: cannot be read \(No such file"):
        read(tmp_path / "absent.tflite")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x18\0\0\0TFL", b"PK\x03\x04" + bytes(100)])
def test_not_a_model(content: bytes, tmp_path: Path) -> None:
    assert "not a .tflite file" in refusal(tmp_path / "net.tflite", content)


def test_pointer_to_large_file(tmp_path: Path) -> None:
    content = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    assert "run git lfs pull" in refusal(tmp_path / "net.tflite", content)


def survives(path: Path, content: bytes) -> bool:
    """Whether the reader takes the file; it may refuse it only in the proper way."""
    path.write_bytes(content)
    try:
        verify(read(path))
    except ModelError as error:
        text = str(error)
        assert "\n" not in text
        assert len(text) < 700
        return False
    return True


def test_truncated_anywhere(tmp_path: Path) -> None:
    content = everything().finish()
    whole = [n for n in range(0, len(content) - 8, 3) if survives(tmp_path / "a", content[:n])]
    assert not whole


@pytest.mark.parametrize("name", ["float_ends", "residual", "computed_shape", "joined"])
def test_any_byte_may_be_wrong(name: str, tmp_path: Path) -> None:
    content = NETWORKS[name]()
    random = np.random.default_rng(7)
    read_anyway = 0
    for _ in range(400):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.choice([0, 1, 127, 128, 255, random.integers(256)])
        read_anyway += survives(tmp_path / "a", bytes(damaged))
    assert 0 < read_anyway < 400  # a weight may take any value


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(60))
def test_any_scale(seed: int, tmp_path: Path) -> None:
    """From the smallest float to the largest, on any tensor, with any activation behind it."""
    file, random = everything(), np.random.default_rng(seed)
    for tensor in file.tensors:
        if tensor.scale and random.random() < 0.3:
            tensor.scale = [10.0 ** random.uniform(-44, 38) for _ in tensor.scale]
    for layer in file.operators:
        if "FusedActivationFunction" in layer.fields:
            layer.fields["FusedActivationFunction"] = int(random.integers(4))
    survives(tmp_path / "a", file.finish())
