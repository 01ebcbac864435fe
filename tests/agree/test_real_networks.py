"""Training the four MLPerf Tiny networks: the C library and numpy agree on every byte."""

from __future__ import annotations

import pytest
from tests.support.twin import train_side_by_side

from tinyflash.compiler import compile_model
from tinyflash.read import read
from tinyflash.scheme import parse_scheme
from tinyflash.zoo.sources import MLPERF_TINY, mlperf_tiny

SCHEMES = {
    "all": "[[update]]\nweights = 1.0\nbias = true",
    "quarter": "[[update]]\nweights = 0.25\nbias = true",
    "new head": "head = 3\n[[update]]\nlast = 4\nbias = true",
    "towards targets": "loss = 'mean_squared_error'\n[[update]]\nweights = 0.5\nbias = true",
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MLPERF_TINY)
def test_training_agrees(name: str, scheme: str) -> None:
    compiled = compile_model(read(mlperf_tiny(name)), parse_scheme(SCHEMES[scheme]), seed=7)
    session = train_side_by_side(compiled, seed=7, steps=3)
    assert session.weights != compiled.program.weights
