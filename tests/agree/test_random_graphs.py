"""Random networks under random schemes: compiled and run by the C library, every byte of weights,
state and output equals the numpy reference after every step."""

from __future__ import annotations

import numpy as np
import pytest
from tests.agree.graphs import sample
from tests.agree.random_graphs import random_graph
from tests.lib.memory import state_bytes, state_exponents, weights_bytes

from tinyflash.compiler import Compiled, compile_model
from tinyflash.host import Session
from tinyflash.reference import Machine
from tinyflash.reference.arith import factor_of

STEPS = 6
NETWORKS = 120
GROUPS = 12  # of networks; a test of pytest for each


class Twin:
    """The numpy reference of a compiled model, for both of its graphs."""

    def __init__(self, compiled: Compiled, seed: int) -> None:
        assert compiled.train is not None
        self.trainer = Machine(compiled.train.graph, seed)
        self.classifier = Machine(compiled.infer.graph)
        exponents = state_exponents(compiled.program.state)
        for scale, exponent in zip(self.trainer.environment.scale_list, exponents, strict=True):
            scale.exponent = exponent

    def infer(self, x: np.ndarray) -> np.ndarray:
        trained = self.trainer.weights
        for name in self.classifier.values.keys() & trained.keys():
            self.classifier.values[name] = trained[name].astype(np.int64)
        return self.classifier.infer(x)


def check_network(seed: int) -> None:
    """Trains one random network for some steps, in C and in numpy."""
    graph, scheme = random_graph(seed)
    compiled = compile_model(graph, scheme, seed=seed)
    session, twin = Session(compiled.program), Twin(compiled, seed)
    rng = np.random.default_rng(seed)
    assert session.state == state_bytes(twin.trainer.environment)
    for step in range(STEPS):
        x, label = sample(graph, rng), int(rng.integers(compiled.program.classes))
        rate = float(10.0 ** rng.uniform(-3, 0.5))
        outcome = session.train_step(x, label, rate)
        where = f"network {seed}, step {step}"
        assert outcome == twin.trainer.train_step(x, label, factor_of(rate)), where
        assert session.state == state_bytes(twin.trainer.environment), where
        assert session.weights == weights_bytes(twin.trainer.environment), where
        assert np.array_equal(session.infer(x), twin.infer(x)), where


@pytest.mark.parametrize("group", range(GROUPS))
def test_c_and_numpy_agree(group: int) -> None:
    for seed in range(group, NETWORKS, GROUPS):
        check_network(seed)
