"""One random network: compiled, trained and inferred, every other one with all values at their
ends."""

from __future__ import annotations

import numpy as np
from tests.support.random_graphs import NEWER, random_graph
from tests.support.twin import Twin

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import InternalError, TinyflashError
from tinyflash.reference.arith import factor_of
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.state import pack, unpack

STEPS = 4
# The ends of a learning rate, and ordinary ones.
RATES = (0.0, 2.0**-490, 1e-3, 0.1, 30.0, 2.0**500)


def train_random(seed: int) -> str:
    """Trains network `seed`, and the numpy reference beside it: any wrong byte is an error.
    Returns what it did."""
    ends = seed % 2 == 1
    try:
        graph, scheme = random_graph(NEWER + seed, ends)
        compiled = compile_model(graph, scheme, seed=seed)
    except InternalError:
        raise
    except (TinyflashError, ValueError) as error:  # ValueError: a table that cannot be made
        if not ends:
            raise
        return f"refused: {error}"
    _train(compiled, np.random.default_rng(seed), ends)
    return "at its ends" if ends else "as usual"


def _train(compiled: Compiled, rng: np.random.Generator, ends: bool) -> None:
    program = compiled.program
    session, twin = HostSession(program), Twin(compiled, unpack(program.state)[0].seed)
    for step in range(STEPS):
        if ends and step == 1:
            _disturb(session, twin, rng)
        x, target = (_bytes(rng, n, ends) for n in (program.input_bytes, program.target_bytes))
        rate = RATES[int(rng.integers(len(RATES)))] if ends else float(10.0 ** rng.uniform(-3, 0.5))
        if program.target_bytes:
            outcome = session.train_on_target(x, target, rate)
            expected = twin.trainer.train_on_target(x, target, factor_of(rate))
        else:
            label = int(rng.integers(program.classes))
            outcome = session.train_step(x, label, rate)
            expected = twin.trainer.train_step(x, label, factor_of(rate))
        assert outcome == expected
        assert session.state == twin.state
        assert session.weights == twin.weights
        assert np.array_equal(session.infer(x), twin.infer(x))


def _bytes(rng: np.random.Generator, count: int, ends: bool) -> np.ndarray:
    if ends:
        return rng.choice(np.array([-128, 127], np.int8), count)
    return rng.integers(-128, 128, count, dtype=np.int8)


def _disturb(session: HostSession, twin: Twin, rng: np.random.Generator) -> None:
    """Gains and counters at their ends, in both."""
    header, scales = unpack(session.state)
    header = header._replace(weights_saturated=2**32 - 2, updates_skipped=2**32 - 1, step=2**32 - 1)
    environment = twin.trainer.environment
    environment.weights_saturated, environment.updates_skipped = 2**32 - 2, 2**32 - 1
    environment.step = 2**32 - 1
    for index, scale in enumerate(environment.scale_list):
        scale.gain = int(rng.choice([-64, scale.gain, 63]))
        scale.exponent = int(rng.choice([-40, 15]))
        scale.saturated = 2**32 - 2
        scales[index] = scales[index]._replace(
            gain=scale.gain, exponent=scale.exponent, saturated=scale.saturated
        )
    session.state = pack(header, scales)
