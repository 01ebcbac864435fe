"""Files that cannot be used: always one ModelError line that names file, layer and cause."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.support.bad_models import CHANGES
from tests.support.models import File, Shape
from tests.support.networks import NETWORKS, everything

from tinyflash.compiler import prepare
from tinyflash.compiler.verify import verify
from tinyflash.errors import ModelError
from tinyflash.read import read


def refusal(path: Path, content: bytes) -> str:
    """What is said of a file for inference, which must be one line that begins with its path."""
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        prepare(read(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


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


def with_slice(shape: Shape, numbers: list[list[int]], made: Shape, **masks: int) -> File:
    file = File(1)
    x = file.input(shape)
    file.finish(file.slice(x, numbers[0], numbers[1], numbers[2], made, **masks))
    return file


def with_cut(begin: list[int], size: list[int]) -> File:
    file = File(1)
    x = file.input((1, 4, 3))
    numbers = [file.constant(v) for v in (begin, size)]
    file.finish(file.operator("SLICE", [x, *numbers], file.like(x, (1, 2, 3))))
    return file


def with_split(sizes: list[int], axis: int = 1, equal: bool = False) -> File:
    file = File(1)
    file.finish(file.split(file.input((1, 4, 6)), axis, sizes, equal)[0])
    return file


def with_resize(size: tuple[int, int], **ways: bool) -> File:
    file = File(1)
    file.finish(file.resize(file.input((1, 60, 1, 1)), *size, **ways))
    return file


def rescaled(code: str) -> File:
    """A slice or a map in another size whose output has another scale."""
    file = File(1)
    x = file.input((1, 2, 2, 1))
    y = file.tensor((1, 4, 4, 1), 0.5)
    file.finish(file.operator(code, [x, file.constant([4, 4])], y, "ResizeNearestNeighborOptions"))
    return file


def with_transposed(change: str) -> File:
    """A transposed convolution that is told something wrong."""
    file = File(1)
    x = file.input((1, 3, 3, 2))
    file.finish(file.transposed(x, (3, 3), padding=2 if change == "scheme" else 0))
    if change == "size":
        file.tensors[file.operators[-1].outputs[0]].shape = (1, 8, 6, 4)
    if change == "channels":
        file.tensors[file.operators[-1].outputs[0]].shape = (1, 6, 6, 3)
    return file


def with_slopes(shape: Shape, made: Shape = (1, 4, 3), constant: bool = True) -> File:
    file = File(1)
    x = file.input((1, 4, 3))
    slopes = file.constant(np.arange(np.prod(shape)).reshape(shape), "INT8", scale=0.1, zero=0)
    if not constant:
        slopes = file.dense(x, 3)
    file.finish(file.operator("PRELU", [x, slopes], file.tensor(made, 0.1)))
    return file


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (with_slopes((4,)), r"constant of shape \[4\] does not broadcast to \[1, 4, 3\]"),
        (with_slopes((3,), (1, 3, 4)), r"input shape \[1, 4, 3\], output shape \[1, 3, 4\]"),
        (with_slopes((3,), constant=False), "input 1 must be a constant"),
    ],
)
def test_of_slopes(file: File, words: str, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


@pytest.mark.parametrize(
    ("classes", "scale", "words"),
    [
        (4, 1 / 256, "needs output scale 1/16 and zero point 127"),
        (4096, 1 / 16, "has 4096 classes; 4095 are supported"),
    ],
)
def test_of_log_softmaxes(classes: int, scale: float, words: str, tmp_path: Path) -> None:
    file = File(1)
    file.log_softmax(file.input((1, classes)))
    file.tensors[-1].scale = [scale]
    text = refusal(tmp_path / "net.tflite", file.finish(len(file.tensors) - 1))
    assert words in text


def difference(a: Shape, b: Shape) -> File:
    file = File(1)
    x = file.input(a)
    other = file.reshape(file.dense(x, int(np.prod(b))), b)
    file.finish(file.operator("SUB", [x, other], file.tensor(a, 0.1), "SubOptions"))
    return file


def with_batches(
    crops: list[list[int]], stride: int = 1, block: tuple[int, int] = (2, 2), scale: float = 0.02
) -> File:
    """A dilated convolution by way of a batch, which one of these hinders."""
    file = File(1)
    x = file.input((1, 6, 6, 1))
    y = file.dealt(x, [2, 2], [[0, 0]] * 2, crops, kernel=(1, 1), stride=(stride, stride), out=1)
    file.tensors[file.operators[-1].inputs[1]].data = np.array(block)
    file.tensors[file.operators[0].outputs[0]].scale = [scale]
    file.finish(y)
    return file


@pytest.mark.parametrize(
    "file",
    [
        with_batches([[1, 0], [0, 0]]),
        with_batches([[0, 0], [0, 0]], stride=3),
        with_batches([[0, 0], [0, 0]], block=(4, 1)),
        with_batches([[0, 0], [0, 0]], scale=0.5),
    ],
)
def test_of_batches_that_are_no_dilation(file: File, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert "space_to_batch_0" in text
    assert "only around one convolution of stride 1" in text


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (with_slice((1, 6), [[0, 5], [1, 0], [1, -1]], (1, 5)), "steps backwards"),
        (with_slice((1, 6), [[0, 3], [1, 3], [1, 1]], (1, 0)), "leaves nothing|only fixed shapes"),
        (with_slice((1, 6), [[0, 3], [1, 5], [1, 0]], (1, 2)), "unequal or zero steps"),
        (with_slice((1, 6), [[0, 3], [1, 5], [1, 1]], (1, 3)), "output shape is not"),
        (with_slice((1, 6), [[0] * 3, [1] * 3, [1] * 3], (1, 1)), "slices 3 of 2 axes"),
        (with_slice((1, 6), [[0, 6], [1, 7], [1, 1]], (1,), ShrinkAxisMask=2), "takes element 6"),
        (with_cut([0, 3, 0], [1, 2, 3]), "cuts from"),
        (with_cut([0, 0], [1, 2]), "of 3 dimensions"),
        (with_split([1, 2]), "splits 4 into"),
        (with_split([2, 2], axis=5), "splits along"),
        (with_split([1, 1, 1], equal=True), "into 3 equal parts"),
        (with_resize((0, 1)), "resizes to"),
        (with_resize((90000, 1)), "beyond 65535"),
        (with_resize((120, 1), AlignCorners=True, HalfPixelCenters=True), "aligns corners and"),
        (with_resize((138, 1)), "at distances that no even step makes"),
        (rescaled("RESIZE_NEAREST_NEIGHBOR"), "different scales"),
        (with_transposed("scheme"), "padding scheme 2 is unknown"),
        (with_transposed("size"), "does not make one of"),
        (with_transposed("channels"), "do not fit 2 input and 3 output channels"),
        (difference((1, 4, 3), (1, 4, 2)), "does not broadcast"),
    ],
)
def test_of_slices_and_differences(file: File, words: str, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


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
        (product((1, 4, 3, 5), (1, 1, 1, 4), (1, 4, 3, 5)), "does not broadcast to"),
        (product((1, 4, 3, 5), (1, 1, 1, 5), (1, 4, 5, 3)), "neither input has the output's shape"),
    ],
)
def test_products_that_do_not_fit(file: File, words: str, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


def smaller(
    a: Shape, scale: float = 0.1, zero: int = 0, constant: tuple[int, ...] = (), unit: float = 0.1
) -> File:
    """The smaller of a map of shape a and a map [1][4][3][5] of scale 0.1, or a constant."""
    file = File(1)
    x = file.input((1, 4, 3, 5))
    b = file.map("RELU", x, 0.1, 0)
    if constant:
        b = file.constant(constant, "INT8", scale=unit, zero=0)
    first = file.reshape(file.dense(x, int(np.prod(a))), a)
    first = file.map("QUANTIZE", first, scale, zero)
    file.finish(file.operator("MINIMUM", [first, b], file.tensor((1, 4, 3, 5), 0.1)))
    return file


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (smaller((1, 1, 1, 5)), r"minimum_4 .*: input 0 has shape \[1, 1, 1, 5\], the output"),
        (smaller((1, 4, 3, 5), 0.2), "input 0 has scale 0.2 and zero point 0, the output 0.1 and"),
        (smaller((1, 4, 3, 5), zero=3), "zero point 3, .*equal ones are supported"),
        (smaller((1, 4, 3, 5), constant=(1, 2, 3, 4, 5)), "input 1 is a constant, which is not"),
        (smaller((1, 1, 1, 5), constant=(60,)), r"minimum_4 .*: input 0 has shape \[1, 1, 1, 5\]"),
        (smaller((1, 4, 3, 5), 0.2, constant=(60,)), "input 0 has scale 0.2 and zero point 0"),
        (smaller((1, 4, 3, 5), constant=(60,), unit=0.2), "input 1 has scale 0.2 and zero point"),
    ],
)
def test_minima_that_do_not_fit(file: File, words: str, tmp_path: Path) -> None:
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
