"""What the commands warn of, in one line each, while the work goes on; and that they are silent
otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from tests.support.commands import tinyflash
from tests.support.models import File, Shape
from tests.support.onnxfile import OnnxFile

from tinyflash.training.balance import label_complaints

SIGNAL: Shape = (1, 1, 40, 2)


def warnings_of(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [line for line in result.stderr.splitlines() if line.startswith("warning: ")]


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """A network for signals, as a map of height 1; floats at both ends, from -2 to 2."""
    file = File(3)
    x = file.input(SIGNAL, type="FLOAT32")
    y = file.operator("QUANTIZE", [x], file.tensor(SIGNAL, 4 / 255, 0))
    y = file.conv(y, (1, 5), stride=(1, 2), activation=1)
    y = file.dense(file.mean(y, [1, 2], 0.05, 0), 3)
    end = file.tensor((1, 3), type="FLOAT32")
    path = tmp_path / "signals.tflite"
    path.write_bytes(file.finish(file.operator("DEQUANTIZE", [y], end)))
    return path


def learned(folder: Path, model: Path, x: np.ndarray, y: np.ndarray, *more: str) -> Result:
    np.savez(folder / "d.npz", x=x, y=y)
    out = ("-o", folder / "out", "--epochs", "1", *more)
    return tinyflash("train", model, "--data", folder / "d.npz", *out)


def inferred(folder: Path, model: Path, x: np.ndarray) -> Result:
    np.save(folder / "x.npy", x)
    return tinyflash("infer", model, folder / "x.npy", "-o", folder / "y.npy")


def made_up(count: int = 30, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return scale * rng.uniform(-1.5, 1.5, (count, 40, 2)), np.arange(count) % 3


def test_signals_need_no_axis_of_length_1(tmp_path: Path, signals: Path) -> None:
    """They learn the same, and infer the same."""
    x, y = made_up()
    learnt = []
    for samples in (x, x[:, None]):
        assert not warnings_of(learned(tmp_path, signals, samples, y))
        with np.load(tmp_path / "out" / "learned.npz") as found:
            learnt.append(found["weights"].tobytes())
        assert not warnings_of(inferred(tmp_path, signals, samples))
        learnt.append(np.load(tmp_path / "y.npy").tobytes())
    assert learnt[:2] == learnt[2:]


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (
            100.0,
            "100 % of the samples are outside the model's range: the samples range from -149.9 ",
        ),
        (0.01, "the samples use 0.7 % of the model's range: the samples range from -0.01499"),
        (0.0, "every number of the samples is 0: they carry no signal"),
    ],
)
def test_samples_in_other_units_are_told(
    tmp_path: Path, signals: Path, scale: float, said: str
) -> None:
    x, y = made_up(scale=scale)
    for result in (learned(tmp_path, signals, x, y), inferred(tmp_path, signals, x)):
        (line,) = warnings_of(result)
        assert said in line
        assert scale == 0 or "the model reads -2.008 to 1.992; scale them as" in line


def test_labels_that_teach_little_are_told(tmp_path: Path, signals: Path) -> None:
    x, _ = made_up(60)
    (line,) = warnings_of(learned(tmp_path, signals, x, np.arange(60) % 2))
    assert "d.npz, y: no training samples of class 2, of classes 0..2" in line
    (line,) = warnings_of(learned(tmp_path, signals, x, np.full(60, 1)))
    assert "all 48 training samples have label 1, so" in line
    rare = np.r_[np.zeros(50, int), np.ones(7, int), np.full(3, 2)]
    (line,) = warnings_of(learned(tmp_path, signals, x, rare))
    assert "40 training samples have label 0, only 2 have label 2" in line


def test_a_class_that_only_a_guard_has_is_missing(tmp_path: Path, signals: Path) -> None:
    x, _ = made_up(30)
    y = np.r_[np.arange(28) % 2, 2, 2]
    (line,) = warnings_of(learned(tmp_path, signals, x, y, "--guard", "6"))
    assert "no training samples of class 2" in line


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([5, 5, 5], []),
        ([45, 5, 5], []),
        ([50, 5, 9], ["50 training samples have label 0, only 5 have label 1: "]),
        ([0, 4, 0], ["all 4 training samples have label 1"]),
        ([3, 0, 3, 0], ["no training samples of classes 1, 3, of classes 0..3"]),
        ([30, 0, 3], ["no training samples of class 1, of", "30 training samples have label 0"]),
    ],
)
def test_labels_are_counted(counts: list[int], said: list[str]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    found = list(label_complaints(labels, len(counts)))
    assert len(found) == len(said)
    assert all(text in line for text, line in zip(said, found, strict=True))


def test_a_thousand_missing_classes_are_still_one_line() -> None:
    (line,) = label_complaints(np.arange(40) % 4, 1000)
    assert "classes 4, 5, 6" in line
    assert len(line) < 500


def twins(*, shared: bool) -> bytes:
    """Two layers of one shape; `shared`: which read one tensor of weights."""
    file = File(4)
    y = file.dense(file.dense(file.input((1, 16)), 16), 16)
    if shared:
        file.operators[1].inputs[1] = file.operators[0].inputs[1]
        first = file.tensors[file.operators[0].inputs[2]]
        file.tensors[file.operators[1].inputs[2]].scale = first.scale
    return file.finish(file.dense(y, 3))


@pytest.mark.parametrize("shared", [True, False])
def test_layers_that_share_weights_are_told(tmp_path: Path, *, shared: bool) -> None:
    (tmp_path / "m.tflite").write_bytes(twins(shared=shared))
    (tmp_path / "s.toml").write_text("[[update]]\nlast = 1\nweights = 0.5\nbias = true\n")
    compiled = ("compile", tmp_path / "m.tflite", "-o", tmp_path / "out")
    found = warnings_of(tinyflash(*compiled, "--scheme", tmp_path / "s.toml"))
    assert len(found) == shared
    if shared:
        assert "layers fully_connected_0, fully_connected_1 have the same weights" in found[0]
        assert "training changes them in fully_connected_1, in each by itself" in found[0]
    (tmp_path / "s.toml").write_text("")
    assert not warnings_of(tinyflash(*compiled, "--scheme", tmp_path / "s.toml"))
    assert not warnings_of(tinyflash(*compiled))


def test_a_matrix_that_is_used_both_ways_is_told(tmp_path: Path) -> None:
    """As of an autoencoder whose decoder is the transpose of its encoder."""
    file = File(4)
    y = file.dense(file.dense(file.input((1, 16)), 10), 16)
    first, second = (file.tensors[o.inputs[1]] for o in file.operators)
    second.data = np.asarray(first.data).T
    (tmp_path / "m.tflite").write_bytes(file.finish(file.dense(y, 3)))
    (tmp_path / "s.toml").write_text("[[update]]\nlast = 2\nweights = 1.0\n")
    more = ("--scheme", tmp_path / "s.toml", "-o", tmp_path / "out")
    (line,) = warnings_of(tinyflash("compile", tmp_path / "m.tflite", *more))
    assert "in fully_connected_0, fully_connected_1, in each by itself" in line


@pytest.mark.parametrize("way", ["twice", "transposed", "transposed by a node", "no"])
def test_an_onnx_model_whose_nodes_share_weights_is_told(tmp_path: Path, way: str) -> None:
    f = OnnxFile((1, 6))
    w, other = f.normal(6, 6), f.normal(6, 6)
    x = f.node("Relu", f.node("MatMul", "x", w))
    if way == "transposed by a node":
        w = f.node("Transpose", w, perm=[1, 0])
    rest = {"transB": 1} if way == "transposed" else {}
    y = f.node("Gemm", x, other if way == "no" else w, **rest)
    (tmp_path / "net.onnx").write_bytes(f.finish(y))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32))
    given = ("--calibration", tmp_path / "x.npy", "-o", tmp_path / "net.tflite")
    found = warnings_of(tinyflash("quantize", tmp_path / "net.onnx", *given))
    assert len(found) == (way != "no")
    assert all("share the weights 'c0'; here each has a copy, and training" in f for f in found)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.full((30, 2), 0.5), "d.npz, y: every target is 0.5: there is nothing to learn"),
        (np.tile([0.0, 0.3], (30, 1)), "d.npz, y: the targets use 0.9 % of the output's range: "),
        (np.tile([-8.0, 9.0], (30, 1)), None),
    ],
)
def test_targets_that_teach_little_are_told(
    tmp_path: Path, signals: Path, y: np.ndarray, said: str | None
) -> None:
    (tmp_path / "s.toml").write_text('head = 2\nloss = "mean_squared_error"\n')
    more = ("--scheme", str(tmp_path / "s.toml"))
    found = warnings_of(learned(tmp_path, signals, made_up()[0], y, *more))
    lines = [line for line in found if ", y: " in line]
    assert len(lines) == (said is not None)
    assert all(said in line for line in lines if said)
