"""Samples that networks are searched for: files and sets as maps, in three parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import refused
from tests.support.sets import signal_set

from tinyflash.data import text
from tinyflash.data.splits import split
from tinyflash.errors import DataError
from tinyflash.search.designs.task import load_task


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "moves.npz"
    np.savez(path, x=random.normal(size=(60, 24, 2)), y=np.arange(60) % 3)
    return path


@pytest.mark.parametrize(
    "shape, family, wanted",
    [
        ((90, 8, 8), None, ("picture", (8, 8, 1))),
        ((90, 12, 16, 3), None, ("picture", (12, 16, 3))),
        ((90, 50, 3), None, ("signal", (1, 50, 3))),
        ((90, 1, 50, 3), None, ("signal", (1, 50, 3))),
        ((90, 50), None, ("signal", (1, 50, 1))),
        ((90, 49, 10), None, ("picture", (49, 10, 1))),
        ((90, 50, 3), "picture", ("picture", (50, 3, 1))),
        ((90, 8, 8), "signal", ("signal", (1, 8, 8))),
    ],
)
def test_samples_of_a_file_are_maps(
    tmp_path: Path, shape: tuple[int, ...], family: str | None, wanted: tuple[str, Sequence[int]]
) -> None:
    path = tmp_path / "x.npz"
    x = np.random.default_rng(0).normal(size=shape)
    np.savez(path, x=x, y=np.arange(len(x)) % 3)
    task = load_task(path, family, None, 0)  # type: ignore[arg-type]
    assert (task.family, task.shape) == wanted
    assert [len(p) for p in (task.train, task.validation, task.test)] == [57, 15, 18]
    every = np.concatenate(
        [p.x.reshape(len(p), -1) for p in (task.train, task.validation, task.test)]
    )
    assert len(np.unique(every, axis=0)) == len(x)  # no sample is in two parts
    assert task.digest() == load_task(path, family, None, 0).digest()  # type: ignore[arg-type]
    assert task.digest() != load_task(path, family, None, 1).digest()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"x": np.zeros((9, 8))}, "needs the arrays x"),
        ({"x": np.zeros((9, 8)), "y": np.zeros(9)}, "y is float64"),
        ({"x": np.zeros((9, 8)), "y": np.zeros(8, int)}, "each of the 9 samples"),
        ({"x": np.zeros((9, 8)), "y": np.full(9, -1)}, "labels begin at 0"),
        ({"x": np.zeros((20, 8)), "y": np.zeros(20, int)}, "one class"),
        ({"x": np.full((20, 8), np.nan), "y": np.arange(20) % 2}, "not finite"),
        ({"x": np.zeros((20, 2, 2, 2, 2)), "y": np.arange(20) % 2}, "a signal has"),
        ({"x": np.zeros((2, 8)), "y": np.arange(2)}, "no samples to be its"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=words):
        load_task(path, None, None, 0)


def test_samples_of_a_set_are_its_windows(tmp_path: Path) -> None:
    dataset = signal_set(tmp_path)
    with pytest.raises(DataError, match="tinyflash data split"):
        load_task(tmp_path, None, 16, 0)
    parts = {"train": 0.5, "validation": 0.25, "test": 0.25}
    text.save(split(dataset, "subject", parts, seed=0))
    with pytest.raises(DataError, match="--window"):
        load_task(tmp_path, None, None, 0)
    task = load_task(tmp_path, None, 16, 0)
    assert (task.family, task.shape, task.classes) == ("signal", (1, 16, 2), 2)
    counts = [len(part) for part in (task.train, task.validation, task.test)]
    assert counts[0] == 2 * counts[1] == 2 * counts[2] > 0
    for part in (task.train, task.validation, task.test):  # "high" is around 1, in real units
        assert np.array_equal(part.x.mean((1, 2, 3)) > 0, part.y == 1)
    spectrograms = load_task(tmp_path, "picture", 16, 0)
    assert spectrograms.shape == (16, 2, 1)
    assert np.array_equal(spectrograms.train.x.ravel(), task.train.x.ravel())


def test_the_command_says_what_is_wrong(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = ["-o", str(tmp_path / "m.tflite")]
    board = ["--board", "stm32f446_nucleo"]
    assert "1,048,576" in refused("design", str(data), *board, "--train-budget", "1MB", *out)
    assert "--flash" in refused("design", str(data), *board, "--flash", "9MB", *out)
    assert "no such" in refused("design", str(tmp_path / "no.npz"), *board, *out)
    assert "--board" in refused("design", str(data), *out)
