"""A few seconds of each fuzz target, the same every time."""

from __future__ import annotations

import warnings
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.target import attempt
from tests.fuzz.targets import TARGETS

from tinyflash.errors import TinyflashWarning

ROUNDS = {"tflite": 80, "float_tflite": 40, "onnx": 100, "scheme": 120, "data": 300, "learned": 200}
ROUNDS["link"] = 300


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_refusals_comes_out(name: str, tmp_path: Path) -> None:
    target, random = TARGETS[name], Random(1)
    seeds = target.seeds(tmp_path)
    assert any(attempt(target, seed, tmp_path / "case") for seed in seeds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TinyflashWarning)  # one line for a person, as errors are
        for _ in range(ROUNDS[name]):
            content = target.mutate(random.choice(seeds), random, tmp_path / "work")
            attempt(target, content, tmp_path / "case")
