"""Random ONNX models are read as they are, or refused: a sample of what
`python -m tests.support.random_onnx 3000` holds against ONNX Runtime."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.support.onnxconstants import CONSTANT_MAKERS
from tests.support.onnxintegers import INTEGER_MAKERS
from tests.support.onnxmakers import MAKERS
from tests.support.random_onnx import OPSETS, trial

from tinyflash.read.onnx.reader import OPERATORS

SEEDS = 176  # eight of each opset


@pytest.mark.parametrize("opset", OPSETS)
def test_a_sample_is_read_as_it_is_or_refused(opset: int) -> None:
    """Judged by ONNX Runtime where it is installed, else by onnx's reference evaluator."""
    for seed in range(SEEDS):
        if OPSETS[seed % len(OPSETS)] == opset:
            found = trial(seed)
            assert found.passed, (seed, found)


def test_most_are_read() -> None:
    said = Counter(trial(seed).said for seed in range(30))
    assert said["equal"] > 15


def test_each_operator_is_drawn() -> None:
    names = (*MAKERS, *INTEGER_MAKERS, *CONSTANT_MAKERS)
    made = {name.removesuffix(" of constants") for name in names}
    assert made | {"Constant"} == OPERATORS
