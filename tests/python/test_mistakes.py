"""Mistakes of programs that call tinyflash: each gets one line, where it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.support.learner import learner_graph

from tinyflash import HostSession, compile_model
from tinyflash.errors import DataError, ModelError, SchemeError, TinyflashError
from tinyflash.quantize import Settings
from tinyflash.scheme import Scheme, parse_scheme
from tinyflash.training.loop import Recipe, evaluate, train
from tinyflash.training.samples import Samples

GRAPH: Any = learner_graph()
X = np.random.default_rng(0).integers(-128, 128, (12, 6, 6, 2), dtype=np.int8)
Y = np.arange(12) % 4
ONE_HOT = np.eye(4)[Y]


def name(path: str) -> Any:
    """A path, where a type checker would not let one pass."""
    return path


def session(scheme: str | None = "") -> HostSession:
    return HostSession(
        compile_model(GRAPH, None if scheme is None else parse_scheme(scheme)).program
    )


MISTAKES: list[tuple[Callable[[], object], type[TinyflashError], str]] = [
    (lambda: Settings(name("percentil")), DataError, "ranges is 'percentil'; it must be one of"),
    (lambda: Settings(ends=name("int4")), DataError, "ends is 'int4'; it must be one of float32"),
    (lambda: Samples(X, Y[:3]), DataError, "12 samples and 3 of y"),
    (lambda: Samples(X, ONE_HOT[:, 0].astype(name("f4"))), DataError, "y is float32"),
    (lambda: Samples(X, ONE_HOT.astype(np.int64)), DataError, r"y is int64 of shape \(12, 4\)"),
    (lambda: Samples(name(X.astype(float)), Y), DataError, "x is float64; it must be stored int8"),
    (lambda: compile_model(name("m.tflite")), ModelError, r"'m.tflite' is not a network; .*read"),
    (
        lambda: compile_model(GRAPH, name("s.toml")),
        SchemeError,
        r"'s.toml' is not a scheme; .*load_scheme",
    ),
    (
        lambda: compile_model(GRAPH, Scheme(), (X, Y[:5])),
        DataError,
        r"calibration: x has shape \(12, 6, 6, 2\) and y \(5,\)",
    ),
    (lambda: compile_model(GRAPH, Scheme(), (X, ONE_HOT)), DataError, "expected labels"),
    (
        lambda: compile_model(GRAPH, Scheme(), name(Samples(X, Y))),
        DataError,
        "calibration is not a pair",
    ),
    (
        lambda: compile_model(GRAPH, parse_scheme("loss = 'mean_squared_error'"), (X, Y)),
        DataError,
        "expected stored targets",
    ),
    (
        lambda: compile_model(GRAPH, Scheme()).learned(b"12"),
        DataError,
        r"weights: 2 bytes given, this model has \d+",
    ),
    (lambda: session().train_step(X[0], 1, -1.0), DataError, "learning rate -1.0 is not a number"),
    (lambda: session().train_step(X[0], 1, np.nan), DataError, "learning rate nan"),
    (lambda: session().train_step(X[0], 1, np.inf), DataError, "learning rate inf"),
    (lambda: session().train_step(X[0], 1, 1e300), DataError, "learning rate: 1e.300 is beyond"),
    (lambda: session().train_step(X[0], name(1.5), 0.1), DataError, "label 1.5 is not a whole"),
    (lambda: session().train_step(X[0], name(ONE_HOT[0]), 0.1), DataError, "is not a whole"),
    (lambda: session(None).train_step(X[0], 1, 0.1), DataError, "compiled for inference only"),
    (
        lambda: session(None).train_on_target(X[0], X[0], 0.1),
        DataError,
        "compiled for inference only",
    ),
    (
        lambda: train(session(), Samples(X, ONE_HOT.astype(np.int8)), Recipe()),
        DataError,
        "without an objective it must be labels",
    ),
    (
        lambda: evaluate(session(), Samples(X, ONE_HOT.astype(np.int8))),
        DataError,
        "without an objective it must be labels",
    ),
]


@pytest.mark.parametrize(("mistake", "kind", "line"), MISTAKES)
def test_a_mistake_gets_one_line(
    mistake: Callable[[], object], kind: type[TinyflashError], line: str
) -> None:
    with pytest.raises(kind, match=line) as caught:
        mistake()
    assert "\n" not in str(caught.value)
