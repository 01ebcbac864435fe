"""The host session: what it restores, what it refuses, and that training resumes exactly."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.learner import learner_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError, TinyflashError
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import unpack
from tinyflash.scheme import parse_scheme


def compiled(scheme: str | None = "[[update]]\nweights = 0.5\nbias = true") -> Compiled:
    return compile_model(learner_graph(), None if scheme is None else parse_scheme(scheme), seed=9)


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (count, 6, 6, 2), dtype=np.int8)


def train(session: HostSession, first: int, last: int) -> None:
    for i, x in enumerate(samples(last)):
        if i >= first:
            session.train_step(x, i % 4, 0.05)


def test_a_resumed_run_continues_as_if_never_interrupted() -> None:
    program = compiled().program
    whole, broken_off, resumed = (HostSession(program) for _ in range(3))
    train(whole, 0, 20)
    train(broken_off, 0, 9)
    resumed.weights, resumed.state = broken_off.weights, broken_off.state
    train(resumed, 9, 20)
    assert (resumed.weights, resumed.state) == (whole.weights, whole.state)
    assert whole.weights != program.weights


def test_reset_goes_back_to_the_compiled_bytes() -> None:
    program = compiled().program
    session = HostSession(program)
    train(session, 0, 5)
    assert session.counters().step == 5
    session.reset()
    assert (session.weights, session.state) == (program.weights, program.state)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    a, b = HostSession(compiled().program), HostSession(compiled().program)
    train(a, 0, 8)
    train(b, 0, 8)
    assert a.weights == b.weights
    b.reset()
    b.state = bytes([7]) + b.state[1:]  # the seed
    train(b, 0, 8)
    assert a.weights != b.weights


def test_what_does_not_fit_is_refused() -> None:
    session = HostSession(compiled().program)
    with pytest.raises(DataError, match="71 elements of int8; the model reads 72"):
        session.infer(np.zeros(71, np.int8))
    with pytest.raises(DataError, match="label 4 is not one of the 4 classes"):
        session.train_step(samples(1)[0], 4, 0.1)
    with pytest.raises(DataError, match="weights: 3 bytes given"):
        session.weights = b"abc"


def test_a_model_for_inference_does_not_train() -> None:
    session = HostSession(compiled(None).program)
    assert session.infer(samples(1)[0]).shape == (4,)
    with pytest.raises(TinyflashError, match="compiled for inference only"):
        session.train_step(samples(1)[0], 0, 0.1)


def test_calibration_starts_where_training_would_arrive() -> None:
    net = compiled()
    session = HostSession(net.program)
    train(session, 0, 40)
    start, arrived = (
        np.array([scale.gain for scale in unpack(state)[1]])
        for state in (net.program.state, session.state)
    )
    assert np.abs(start - arrived).max() <= 2
