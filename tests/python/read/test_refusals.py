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
    ],
)
def test_products_that_do_not_fit(file: File, words: str, tmp_path: Path) -> None:
    text = refusal(tmp_path / "net.tflite", file.finish())
    assert re.search(words, text), text


def smaller(a: Shape, scale: float = 0.1, zero: int = 0, constant: bool = False) -> File:
    """The smaller of a map of shape a and a map [1][4][3][5] of scale 0.1, or a constant."""
    file = File(1)
    x = file.input((1, 4, 3, 5))
    b = file.map("RELU", x, 0.1, 0)
    if constant:
        b = file.constant([60], "INT8", scale=0.1, zero=0)
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
        (smaller((1, 4, 3, 5), constant=True), "input 1 is a constant, which is not supported"),
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
