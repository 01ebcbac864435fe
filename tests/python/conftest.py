"""A small model, a scheme and samples, as files."""

import numpy as np
import pytest
from tests.support.networks import float_ends

SCHEME = "head = 3\n[[update]]\nlast = 1\nbias = true\nweights = 0.5\n"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(float_ends())
    return path


@pytest.fixture
def scheme(tmp_path):
    path = tmp_path / "scheme.toml"
    path.write_text(SCHEME)
    return path


@pytest.fixture
def data(tmp_path):
    """Two classes of three, easy to tell apart."""
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = random.normal(0, 0.3, (40, 8, 8, 3)) + np.where(y, 1.0, -1.0)[:, None, None, None]
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path / "data.npz"
