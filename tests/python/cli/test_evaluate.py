"""tinyflash evaluate: its figures are those of the outputs that `infer` writes, counted here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.models import File

REGRESSION = 'loss = "mean_squared_error"\n'
EVENTS = 'loss = "binary_cross_entropy"\n'


def network(folder: Path, out: int, end: str = "", ends: str = "FLOAT32") -> Path:
    """Eight numbers to `out` scores, and a function at the end."""
    file = File(6)
    x = file.input((1, 8), type="FLOAT32")
    y = file.dense(file.operator("QUANTIZE", [x], file.tensor((1, 8), 0.02, 0)), out, zero=-20)
    file.tensors[y].scale = [0.06]
    if end:
        options = {"kind": "SoftmaxOptions", "Beta": 1.0} if end == "SOFTMAX" else {}
        unit = (1 / 16, 127) if end == "LOG_SOFTMAX" else (1 / 256, -128)
        y = file.map(end, y, *unit, **options)
    scale, zero = (file.tensors[y].scale or [0.0])[0], (file.tensors[y].zero or [0])[0]
    if ends == "FLOAT32":
        y = file.operator("DEQUANTIZE", [y], file.tensor((1, out), type="FLOAT32"))
    elif ends == "UINT8":
        byte = file.tensor((1, out), scale, zero + 128, type="UINT8")
        y = file.operator("QUANTIZE", [y], byte)
    path = folder / "m.tflite"
    path.write_bytes(file.finish(y))
    return path


def samples(count: int = 60) -> np.ndarray:
    return np.random.default_rng(1).uniform(-2.4, 2.4, (count, 8)).astype(np.float32)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "d.npz", **arrays)
    return folder / "d.npz"


def inferred(folder: Path, model: Path, x: np.ndarray) -> np.ndarray:
    np.save(folder / "x.npy", x)
    assert tinyflash("infer", model, folder / "x.npy", "-o", folder / "y.npy").exit_code == 0
    return np.load(folder / "y.npy").astype(np.float64)


def figures(model: Path, data: Path, *more: Any) -> dict[str, Any]:
    result = tinyflash("evaluate", model, "--data", data, "--json", *more)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("end", "ends"),
    [("", "FLOAT32"), ("SOFTMAX", "FLOAT32"), ("LOG_SOFTMAX", "FLOAT32"), ("", "UINT8")],
)
def test_a_classifier(tmp_path: Path, end: str, ends: str) -> None:
    model, x = network(tmp_path, 5, end, ends), samples()
    y = inferred(tmp_path, model, x)
    labels = np.r_[y[:40].argmax(1), np.arange(20) % 5]
    found = figures(model, saved(tmp_path, x=x, y=labels))
    right = [int(np.argmax(row)) == label for row, label in zip(y, labels, strict=True)]
    assert found["task"] == "classes"
    assert found["correct"] == sum(right) >= 40
    assert found["accuracy"] == pytest.approx(100 * sum(right) / 60)
    assert np.diag(found["confusion"]).sum() == sum(right)
    assert [row["samples"] for row in found["classes"]] == np.bincount(labels).tolist()
    if ends == "UINT8":
        y = (y - 108) * 0.06
    p = y if end == "SOFTMAX" else np.exp(y) / np.exp(y).sum(1, keepdims=True)
    chosen = p[np.arange(60), labels]
    loss = -np.mean(np.log(np.maximum(chosen, 1 / 512) if end == "SOFTMAX" else chosen))
    assert found["loss"] == pytest.approx(loss, rel=1e-3)


def test_names_and_tables(tmp_path: Path) -> None:
    model, x = network(tmp_path, 3), samples()
    data = saved(tmp_path, x=x, y=np.r_[inferred(tmp_path, model, x)[:50].argmax(1), [2] * 10])
    (tmp_path / "names.txt").write_text("cat\ndog\na very long name of a bird\n\n")
    result = tinyflash("evaluate", model, "--data", data, "--names", tmp_path / "names.txt")
    assert result.exit_code == 0, result.output
    assert "m.tflite on host: 60 samples" in result.stdout
    assert "0 cat" in result.stdout
    assert "2 a very long name ..." in result.stdout
    assert "confusion: true class by row" in result.stdout
    assert figures(model, data, "--names", tmp_path / "names.txt")["classes"][1]["name"] == "dog"
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    line = refused("evaluate", model, "--data", data, "--names", tmp_path / "names.txt")
    assert line == "2 names are given; the network has 3 classes"


def test_many_classes_stay_readable(tmp_path: Path) -> None:
    model, x = network(tmp_path, 300), samples(100)
    y = inferred(tmp_path, model, x).argmax(1)
    data = saved(tmp_path, x=x, y=np.where(np.arange(100) < 40, 7, y))
    result = tinyflash("evaluate", model, "--data", data)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) < 60
    assert max(map(len, result.stdout.splitlines())) <= 160
    assert "most frequent confusions" in result.stdout
    assert "the worst 20 of 300 classes; --json has all" in result.stdout
    assert "among the five highest scores: " in result.stdout
    found = figures(model, data)
    assert found["confusion"] is None
    wrong = sum(error["samples"] for error in found["confusions"])
    assert wrong == 100 - found["correct"] > 30


def test_numbers_without_and_with_a_scheme(tmp_path: Path) -> None:
    model, x = network(tmp_path, 2), samples()
    y = inferred(tmp_path, model, x)
    truth = y + np.array([0.5, -1.0]) * (np.arange(60) % 2)[:, None]
    (tmp_path / "s.toml").write_text(REGRESSION)
    data = saved(tmp_path, x=x, y=truth)
    for more in ((), ("--scheme", tmp_path / "s.toml")):
        found = figures(model, data, *more)
        assert found["task"] == "numbers"
        assert found["loss"] == pytest.approx(1.25 / 4)
        assert found["mae"] == pytest.approx(0.375)
        assert found["largest"] == pytest.approx(1)
        assert found["outputs"][1]["rmse"] == pytest.approx(math.sqrt(0.5))
    assert "mean absolute error 0.375" in tinyflash("evaluate", model, "--data", data).stdout


def test_an_autoencoder_needs_no_y(tmp_path: Path) -> None:
    model, x = network(tmp_path, 8), samples()
    found = figures(model, saved(tmp_path, x=x))
    y = inferred(tmp_path, model, x)
    stored = 0.02 * np.clip(np.round(x / 0.02), -128, 127)
    assert found["loss"] == pytest.approx(np.mean((y - stored) ** 2), rel=1e-3)


def test_events(tmp_path: Path) -> None:
    model, x = network(tmp_path, 3, "LOGISTIC"), samples()
    p = inferred(tmp_path, model, x)
    truth = (p > 0.5).astype(float)
    truth[:6, 1] = 1 - truth[:6, 1]
    (tmp_path / "s.toml").write_text(EVENTS)
    data = saved(tmp_path, x=x, y=truth)
    for more in ((), ("--scheme", tmp_path / "s.toml")):
        found = figures(model, data, *more)
        assert (found["task"], found["correct"], found["answers"]) == ("events", 174, 180)
        assert [row["accuracy"] for row in found["outputs"]] == [100, 90, 100]
        clear = np.clip(p, 1 / 512, 1 - 1 / 512)
        loss = -np.mean(truth * np.log(clear) + (1 - truth) * np.log(1 - clear))
        assert found["loss"] == pytest.approx(loss, rel=1e-3)
    assert "every answer right: 90.0 %" in tinyflash("evaluate", model, "--data", data).stdout


def test_events_of_logits(tmp_path: Path) -> None:
    """With a scheme, the evaluation takes the logistic of what the network hands out."""
    model, x = network(tmp_path, 3), samples()
    logits = inferred(tmp_path, model, x)
    truth = (logits > 0).astype(float)
    truth[:9, 0] = 1 - truth[:9, 0]
    (tmp_path / "s.toml").write_text(EVENTS)
    data = saved(tmp_path, x=x, y=truth)
    found = figures(model, data, "--scheme", tmp_path / "s.toml")
    assert (found["correct"], found["answers"]) == (171, 180)
    right = np.where(truth == 1, logits, -logits)
    loss = np.mean(np.log1p(np.exp(-right)))
    assert found["loss"] == pytest.approx(loss, rel=0.02)  # a probability of 0 is half a unit


def test_one_output_that_says_yes_or_no_has_two_classes(tmp_path: Path) -> None:
    model, x = network(tmp_path, 1, "LOGISTIC"), samples()
    labels = (inferred(tmp_path, model, x)[:, 0] > 0.5).astype(int)
    labels[:3] = 1 - labels[:3]
    found = figures(model, saved(tmp_path, x=x, y=labels))
    assert (found["task"], found["correct"], len(found["classes"])) == ("classes", 57, 2)
    assert sum(map(sum, found["confusion"])) == 60


def test_what_was_learned_is_evaluated(tmp_path: Path) -> None:
    """By file, by folder, and as `train` told it, of the very samples."""
    model, x = network(tmp_path, 3), samples(90)
    data = saved(tmp_path, x=x, y=(x[:, 0] > 0).astype(int) + (x[:, 1] > 0))
    (tmp_path / "s.toml").write_text("head = 3\n[rates]\nhead = 2.0\n")
    how = ("--scheme", tmp_path / "s.toml")
    out = tmp_path / "out"
    learnt = tinyflash("train", model, *how, "--data", data, "-o", out, "--validation", "0")
    assert learnt.exit_code == 0, learnt.output
    at_first = figures(model, data, *how)
    assert (at_first["board"], at_first["model"]) == ("host", "m")
    after = [figures(model, data, *how, "--learned", at) for at in (out, out / "learned.npz")]
    assert after[0] == after[1]
    assert after[0]["accuracy"] > at_first["accuracy"]
    exported = tmp_path / "new.tflite"
    export = ("export", model, *how, "--learned", out / "learned.npz", "-o", exported)
    assert tinyflash(*export).exit_code == 0
    assert figures(exported, data)["confusion"] == after[0]["confusion"]
    line = refused("evaluate", model, "--data", data, "--learned", out)
    assert "belongs to another model or scheme" in line


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (
            np.eye(3)[np.arange(60) % 3],
            "such as int64; take y.argmax(1) of one-hot rows",
        ),
        (np.full(60, 3), "y[0] is 3; the network has 3 classes, 0..2"),
        (np.arange(59) % 3, "has 60 samples and 59 of y"),
        (np.float32(1.0), "has 60 samples and one number as y"),
        (np.full(60, "cat"), "labels are whole numbers"),
        (None, "d.npz has no array 'y'; it needs x (samples) and y (labels)"),
    ],
)
def test_wrong_labels_get_one_line(tmp_path: Path, y: Any, said: str) -> None:
    model = network(tmp_path, 3, "SOFTMAX")
    arrays = {"x": samples()} if y is None else {"x": samples(), "y": y}
    assert said in refused("evaluate", model, "--data", saved(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("scheme", "y", "said"),
    [
        (REGRESSION, np.zeros((60, 2)), "y is float64 of shape (60, 2); the network has 3 outputs"),
        (REGRESSION, np.full((60, 3), np.nan), "numbers that are not finite"),
        (EVENTS, np.full((60, 3), 2.0), "y[0, 0] is 2; it must be a probability, 0 to 1"),
        (REGRESSION, None, "has no array 'y'"),
    ],
)
def test_wrong_targets_get_one_line(tmp_path: Path, scheme: str, y: Any, said: str) -> None:
    model = network(tmp_path, 3)
    (tmp_path / "s.toml").write_text(scheme)
    arrays = {"x": samples()} if y is None else {"x": samples(), "y": y}
    data = saved(tmp_path, **arrays)
    assert said in refused("evaluate", model, "--data", data, "--scheme", tmp_path / "s.toml")


def test_names_that_cannot_be_read_get_one_line(tmp_path: Path) -> None:
    model, data = network(tmp_path, 3), saved(tmp_path, x=samples(), y=np.arange(60) % 3)
    (tmp_path / "n.bin").write_bytes(b"\xff\xfe\x00")
    for name, said in (("none.txt", "there is no such file"), ("n.bin", "it is not text")):
        assert said in refused("evaluate", model, "--data", data, "--names", tmp_path / name)
    assert "not a regular file" in refused("evaluate", model, "--data", data, "--names", tmp_path)


def test_scores_in_bytes_are_judged_by_training_too(tmp_path: Path) -> None:
    """uint8 scores above 127 are not negative numbers."""
    model, x = network(tmp_path, 4, ends="UINT8"), samples()
    data = saved(tmp_path, x=x, y=np.arange(60) % 4)
    out = ("-o", tmp_path / "out", "--epochs", "1", "--rate", "1e-6", "--validation", "0.5")
    assert tinyflash("train", model, "--data", data, *out).exit_code == 0
    told = json.loads((tmp_path / "out" / "training.json").read_text())
    y = inferred(tmp_path, model, x).argmax(1)
    assert told["accuracy_before"] is not None
    assert len(set(y.tolist())) > 1
    line = refused("train", model, "--data", data, *out, "--guard", "4")
    assert "a guard compares int8 scores, but the network's output is uint8" in line
