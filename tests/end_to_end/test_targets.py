"""Learning from targets, with every operator that came with it, is the same on host and boards."""

import numpy as np
import pytest
from tests.support.models import RELU, File

from tinyflash.compiler import compile_model, prepare
from tinyflash.errors import DataError
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import parse_scheme
from tinyflash.training.loop import Recipe, evaluate, train
from tinyflash.training.open import Ready, open_session
from tinyflash.training.samples import Samples
from tinyflash.training.targets import objective_of

SCHEME = 'loss = "{}"\n[[update]]\nweights = 1.0\nbias = true\n'
LOSSES = ("mean_squared_error", "binary_cross_entropy")
HOW = Recipe(epochs=3, rate=0.02, seed=3)


def network() -> bytes:
    """Sequences; groups, a multiplier, a product by channel, a softmax, and outputs from 0 to 1."""
    file = File(31)
    x = file.input((1, 24, 4), zero=-20)
    y = file.sequence(x, 8, 5, stride=2, activation=RELU, zero=-128, groups=2)
    y = file.sequence(y, 16, 3, code="DEPTHWISE_CONV_2D", activation=RELU, zero=-128)
    gate = file.dense(file.mean(y, [1], 0.05, -100), 16)
    gate = file.reshape(file.map("LOGISTIC", gate, 1 / 256, -128), (1, 1, 16))
    y = file.binary("MUL", y, gate, 0.02, -128)
    y = file.mean(y, [1], 0.02, -100)
    y = file.softmax(file.dense(y, 8), beta=0.5)
    y = file.dense(y, 3)
    return file.finish(file.map("LOGISTIC", y, 1 / 256, -128))


@pytest.fixture(params=LOSSES)
def task(request, tmp_path):
    """A compiled model, what it learns, and samples with targets that follow from them."""
    (tmp_path / "net.tflite").write_bytes(network())
    graph, scheme = read(tmp_path / "net.tflite"), parse_scheme(SCHEME.format(request.param))
    random = np.random.default_rng(2)
    x = random.integers(-100, 100, (24, 24, 4)).astype(np.int8)
    objective = objective_of(prepare(graph, scheme))
    samples = Samples(x, objective.encode((x.mean(axis=1)[:, :3] > 0) * 0.8 + 0.1))
    compiled = compile_model(graph, scheme, calibration=(samples.x, samples.y), seed=5)
    return compiled, objective, samples


def whole_run(session, task):
    _, objective, samples = task
    before = evaluate(session, samples, objective).score
    history = train(session, samples, HOW, objective=objective)
    after = evaluate(session, samples, objective).score
    return before, history, after, session.weights, session.state


def test_every_step_agrees(task, board, tmp_path):
    compiled = task[0]
    host = whole_run(HostSession(compiled.program), task)
    with open_session(Ready.of(compiled, board), tmp_path / "build") as device:
        assert whole_run(device, task) == host
        with pytest.raises(DataError, match="learns from targets"):
            device.train_step(task[2].x[0], 0, 0.1)
    assert host[3] != compiled.program.weights
    assert host[2] < host[0]
