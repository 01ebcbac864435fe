"""What is normal: scores and thresholds to the letter of SPEC 13, and that they stay."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.graphs import Net
from tests.support.learner import learner

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError
from tinyflash.reference import normal as reference
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import Held, is_abnormal, score_of, threshold_of
from tinyflash.runtime.learned import Learned
from tinyflash.runtime.normal import MOST_RANKS
from tinyflash.runtime.state import unpack
from tinyflash.scheme import parse_scheme

SCHEME = "loss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true\nweights = 1.0"


@pytest.fixture(scope="module", name="compiled")
def _compiled() -> Compiled:
    net = Net(np.random.default_rng(5))
    x = net.reshape(net.input((1, 1, 12)), (1, 12))
    graph = net.graph(net.fully_connected(net.fully_connected(x, 6), 12))
    return compile_model(graph, parse_scheme(SCHEME), seed=9)


def held(*scores: int) -> Held:
    found = Held()
    for score in scores:
        found.hold(score)
    return found


def test_a_score_is_the_error_of_a_step(compiled: Compiled) -> None:
    session, random = HostSession(compiled.program), np.random.default_rng(1)
    for _ in range(20):
        x, t = random.integers(-128, 128, (2, 12)).astype(np.int8)
        score = score_of(session.infer(x), t)
        assert score == reference.score(session.infer(x), t)
        assert session.train_on_target(x, t, 0.01).error == score
    ends = np.full(65535, -128, np.int8), np.full(65535, 127, np.int8)
    assert score_of(*ends) == 65535 * 255**2 < 2**32
    with pytest.raises(DataError, match="an output of 2 values for a target of 3"):
        score_of(ends[0][:2], ends[1][:3])


def test_the_largest_scores_are_held() -> None:
    random = np.random.default_rng(2)
    for count in (1, 3, 7, 8, 9, 50):
        scores = [*random.integers(0, 2**32, count).tolist(), 5, 5]
        assert held(*scores).largest == sorted(scores, reverse=True)[:MOST_RANKS]
    assert held(0, 0).largest == [0, 0]


def test_thresholds_are_those_of_the_specification(compiled: Compiled) -> None:
    session, random = HostSession(compiled.program), np.random.default_rng(3)
    ends = [0, 1, 2, 2046, 2047, 2048, 2049, 4094, 4095, 4096, 2**32 - 1, 2**32 - 2, 2**31]
    for chosen in (*ends, *(int(2**e) for e in random.uniform(0, 32, 300))):
        scores = [chosen, *random.integers(0, 2**32, 9).tolist()]
        for rank in (1, 2, MOST_RANKS):
            held(*scores).set(rank, session)
            code = reference.code(scores, rank)
            assert unpack(session.state)[0].probability == code
            found, wanted = threshold_of(session), sorted(scores, reverse=True)[rank - 1]
            assert found == reference.threshold(code)
            assert max(1, wanted) <= found <= max(1, wanted) * (1 + 1 / 1024)
            assert not is_abnormal(session, found)
            assert found == 2**32 - 1 or is_abnormal(session, found + 1)
    held(0).set(1, session)
    assert threshold_of(session) == reference.threshold(reference.code([0], 1)) == 1


def test_a_threshold_stays_until_another_is_set(compiled: Compiled) -> None:
    """Training leaves it; the bytes that are saved have it; another session restores it."""
    session, other = HostSession(compiled.program), HostSession(compiled.program)
    assert threshold_of(session) == 0
    assert not is_abnormal(session, 2**32 - 1)
    x = np.arange(12, dtype=np.int8)
    held(700, 600).set(2, session)
    for _ in range(5):
        session.train_on_target(x, x, 0.02)
    assert threshold_of(session) == 600
    Learned(compiled.program.hash, session.weights, session.state).restore(other)
    assert threshold_of(other) == 600
    other.reset()
    assert threshold_of(other) == 0


def test_what_cannot_be_set(compiled: Compiled) -> None:
    session = HostSession(compiled.program)
    for scores, rank in (([1, 2], 0), ([1, 2], 3), (range(20), MOST_RANKS + 1), ([], 1)):
        with pytest.raises(DataError, match=f"no threshold of rank {rank}"):
            held(*scores).set(rank, session)
    assert threshold_of(session) == 0
    classifier = HostSession(learner().program)
    with pytest.raises(DataError, match="must learn towards targets"):
        held(3).set(1, classifier)
    assert threshold_of(classifier) == 0
