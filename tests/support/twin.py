"""The numpy reference beside the C library: one compiled model, trained by both."""

from __future__ import annotations

import numpy as np
from tests.support.memory import state_bytes, weights_bytes

from tinyflash.compiler import Compiled
from tinyflash.reference import Machine
from tinyflash.reference.arith import factor_of
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import pack, unpack

FINER = 5  # bits


class Twin:
    """The reference of a compiled model, for both of its graphs."""

    def __init__(self, compiled: Compiled, seed: int) -> None:
        assert compiled.train is not None
        self.trainer = Machine(compiled.train.graph, seed)
        self.classifier = Machine(compiled.infer.graph)
        _, scales = unpack(compiled.program.state)
        for scale, start in zip(self.trainer.environment.scale_list, scales, strict=True):
            scale.exponent, scale.gain = start.exponent, start.gain

    def infer(self, x: np.ndarray) -> np.ndarray:
        trained = self.trainer.weights
        for name in self.classifier.values.keys() & trained.keys():
            self.classifier.values[name] = trained[name].astype(np.int64)
        return self.classifier.infer(x)

    @property
    def state(self) -> bytes:
        return state_bytes(self.trainer.environment)

    @property
    def weights(self) -> bytes:
        return weights_bytes(self.trainer.environment)


def _make_finer(session: HostSession, twin: Twin, index: int) -> None:
    """Lowers one gain, in both."""
    header, scales = unpack(session.state)
    index %= len(scales)
    finer = max(scales[index].gain - FINER, -64)
    scales[index] = scales[index]._replace(gain=finer)
    session.state = pack(header, scales)
    twin.trainer.environment.scale_list[index].gain = finer


def train_side_by_side(compiled: Compiled, seed: int, steps: int) -> HostSession:
    """Trains in C and in numpy on random samples at random rates.

    After each step the outcome, all weights and state, and an inference must be the same. Before
    each third step a gradient's scale is made too fine, so that many of its elements saturate.
    """
    session, twin = HostSession(compiled.program), Twin(compiled, seed)
    rng = np.random.default_rng(seed)
    assert session.state == twin.state
    assert session.weights == twin.weights
    for step in range(steps):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        label = int(rng.integers(max(compiled.program.classes, 1)))
        target = rng.integers(-128, 128, compiled.program.target_bytes, dtype=np.int8)
        rate = float(10.0 ** rng.uniform(-3, 0.5))
        where = f"{compiled.program.name}, seed {seed}, step {step}"
        if step % 3 == 2:
            _make_finer(session, twin, int(rng.integers(2**16)))
        if compiled.program.target_bytes:
            outcome = session.train_on_target(x, target, rate)
            assert outcome == twin.trainer.train_on_target(x, target, factor_of(rate)), where
        else:
            outcome = session.train_step(x, label, rate)
            assert outcome == twin.trainer.train_step(x, label, factor_of(rate)), where
        assert session.state == twin.state, where
        assert session.weights == twin.weights, where
        assert np.array_equal(session.infer(x), twin.infer(x)), where
    return session
