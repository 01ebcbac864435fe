"""A small network and scheme, and the emulated boards."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.firmware import EMULATED, UNLIKE
from tests.support.models import File

from tinyflash.compiler import compile_model
from tinyflash.read import read
from tinyflash.scheme import parse_scheme
from tinyflash.training.samples import Samples

SCHEME = "head = 3\nfisher = 'all'\n[[update]]\nlast = 4\nbias = true\nweights = 0.5\n"


def network() -> bytes:
    """Every kind of layer that trains, with a sum of two trained branches; all are judged."""
    file = File(11)
    x = file.input((1, 12, 10, 3), zero=-20)
    y = file.conv(x, (3, 3), stride=(2, 2), out=8, activation=3, zero=-128)
    a = file.depthwise(y, (3, 3), activation=3, zero=-128)
    a = file.conv(a, (1, 1), out=8)
    y = file.binary("ADD", y, a, 0.08, -5)
    y = file.conv(y, (3, 3), out=6, zero=3)
    y = file.mean(y, [1, 2], 0.03, 2)
    return file.finish(file.dense(y, 4))


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(network())
    return path


@pytest.fixture(scope="session")
def samples():
    random = np.random.default_rng(2)
    y = np.arange(30) % 3
    x = random.integers(-60, 60, (30, 12, 10, 3)) + 30 * (y - 1)[:, None, None, None]
    return Samples(x.astype(np.int8), y)


@pytest.fixture(scope="session")
def compiled(model, samples):
    return compile_model(
        read(model), parse_scheme(SCHEME), calibration=(samples.x, samples.y), seed=5
    )


@pytest.fixture(scope="session")
def without_judgement(model, samples):
    """The same, smaller by what judges channels: for boards of 8 KB with a buffer besides."""
    scheme = replace(parse_scheme(SCHEME), fisher=0)
    return compile_model(read(model), scheme, calibration=(samples.x, samples.y), seed=5)


@pytest.fixture(params=UNLIKE, ids=lambda board: board.name)
def board(request):
    return request.param


@pytest.fixture(scope="session")
def _folders(tmp_path_factory):
    return {board.name: tmp_path_factory.mktemp(board.name) for board in EMULATED}


@pytest.fixture
def firmware_folder(_folders, board):
    """Where the firmware of `compiled` for `board` is built, once for all tests."""
    return _folders[board.name]
