"""An autoencoder learns what is normal in a stream, and tells what is not."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from tests.support.graphs import Net
from tests.support.learner import learner_graph

from tinyflash.bench.anomaly.run import METHODS, Cell, area
from tinyflash.bench.anomaly.tables import as_json, results
from tinyflash.compiler import compile_model, prepare
from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.host.normal import Held, score_of
from tinyflash.scheme import parse_scheme
from tinyflash.training.live.normal import Course, Watchman, own_targets
from tinyflash.training.targets import Objective, objective_of

SQUARED = "loss = 'mean_squared_error'\n"
SCHEME = SQUARED + "[[update]]\nlast = 1\nbias = true\nweights = 1.0"


def autoencoder(text: str = SCHEME):  # type: ignore[no-untyped-def]
    net = Net(np.random.default_rng(5))
    x = net.reshape(net.input((1, 1, 12)), (1, 12))
    graph = net.graph(net.fully_connected(net.fully_connected(x, 6), 12))
    return prepare(graph, parse_scheme(text))


def watchman(course: Course, board: HostSession | None = None) -> Watchman:
    prepared = autoencoder()
    program = compile_model(prepared, seed=3).program
    objective, near = objective_of(prepared), HostSession(program)
    assert objective is not None
    return Watchman(board or near, near, program, objective, prepared.whole.input, course)


def stream(count: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    shape = np.sin(np.arange(12) / 2)
    x = 40 * shape * random.uniform(0.5, 1, (count, 1)) + random.normal(0, 2, (count, 12))
    return x.astype(np.int8).reshape(count, 1, 1, 12)


COURSE = Course(150, 40, 2, 0.02)


def test_it_learns_then_sets_the_threshold_then_watches() -> None:
    """Against a session that is led by hand; what is unlike the stream is abnormal."""
    man, plain = watchman(COURSE), HostSession(watchman(COURSE).program)
    x = stream(200)
    targets, held = own_targets(man.objective, man.port, x), Held()
    for number, (one, target) in enumerate(zip(x, targets, strict=True)):
        score = score_of(plain.infer(one), target)
        verdict = man.see(one)
        assert verdict.score == score
        assert (verdict.abnormal is None) == (number < 190)
        if number < 150:
            plain.train_on_target(one, target, 0.02)
        elif number < 190:
            held.hold(score)
        assert (man.threshold == 0) == (number < 189)
    held.set(2, plain)
    assert (man.near.weights, man.near.state) == (plain.weights, plain.state)
    assert [one.phase for one in man.seen] == (
        ["learns"] * 150 + ["sets the threshold"] * 40 + ["watches"] * 10
    )
    first, last = (np.mean([one.score for one in part]) for part in (man.seen[:20], man.seen[-20:]))
    assert last < first / 2
    assert man.see(-x[0]).abnormal
    man.learned.restore(plain)
    assert plain.state == man.near.state


def test_a_board_gets_the_threshold_and_must_agree() -> None:
    board = HostSession(watchman(COURSE).program)
    man = watchman(COURSE, board)
    for x in stream(191):
        man.see(x)
    assert (board.weights, board.state) == (man.near.weights, man.near.state)
    assert man.threshold > 0
    other = HostSession(man.program)
    other.weights = bytes(len(other.weights))
    with pytest.raises(LinkError, match="the board and this computer differ"):
        watchman(COURSE, other).see(stream(1)[0])


def test_a_board_that_still_holds_scores_is_adopted() -> None:
    """It has not been switched off since it learned."""
    board = HostSession(watchman(COURSE).program)
    man = watchman(COURSE, board)
    x = stream(200)
    expected = [man.see(one) for one in x][190:]
    program, course = man.program, Course(0, 0, 1, 0.1)
    again = Watchman(board, HostSession(program), program, man.objective, man.port, course)
    again._judges = (man._judges[0], again._judges[1])  # the board's holds 40 scores
    again.adopt()
    assert [again.see(one) for one in x[190:]] == expected


def test_what_cannot_be() -> None:
    for hold, rank in ((10, 0), (3, 4), (20, 9)):
        with pytest.raises(DataError, match=f"cannot be number {rank} of {hold} scores"):
            Course(5, hold, rank, 0.1)
    man = watchman(COURSE)
    narrow: Objective = objective_of(autoencoder("loss = 'binary_cross_entropy'\n" + SCHEME[28:]))
    for objective, port in ((narrow, man.port), (man.objective, learner_graph().input)):
        x = np.zeros((1, prod(port.shape)), np.int8)
        with pytest.raises(DataError, match="learned by an autoencoder"):
            own_targets(objective, port, x)


def test_the_area_and_the_table() -> None:
    assert area(np.array([1, 2]), np.array([2, 3])) == (0.5 + 1 + 1 + 1) / 4
    cells = [Cell(m.name, 1, 0, 9, 0.4, 0.9, 0.1, 0.8, 7, 8) for m in METHODS]
    assert results(cells).row_count == len(METHODS)
    assert as_json(cells)[0]["after"] == 0.9
