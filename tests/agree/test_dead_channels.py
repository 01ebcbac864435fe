"""Channels whose weight scale stands at a floor, as released models have them (SPEC 6.6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.agree.graphs import Layer, Net, same

from tinyflash.compiler import Compiled, compile_model
from tinyflash.graph import Tensor
from tinyflash.host import Session
from tinyflash.passes.scheme import parse_scheme

ALL = parse_scheme("[[update]]\nweights = 1.0\nbias = true")
STEPS = 60
DEAD = Layer(dead=3)  # at 1e-9 of the layer's largest scale: 4e-9 where that is 4


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    net = Net(np.random.default_rng(3))
    a = net.conv2d(net.input((7, 7, 2)), 8, same((7, 7), 3), DEAD)
    b = net.depthwise(a, same((7, 7), 3), DEAD)
    c = net.conv2d(b, 8, same((7, 7), 1), DEAD)
    return compile_model(net.graph(net.fully_connected(net.mean(c, (0, 1)), 3)), ALL, seed=3)


@pytest.fixture(scope="module")
def trained(compiled: Compiled) -> Session:
    session, rng = Session(compiled.program), np.random.default_rng(4)
    for step in range(STEPS):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        session.train_step(x, step % 3, 0.1)
    return session


def test_dead_channels_keep_their_bytes_and_live_ones_learn(
    compiled: Compiled, trained: Session
) -> None:
    """All weights, and the biases of layers with dead channels."""
    before, after = _trained_tensors(compiled), _trained_tensors(compiled, trained.weights)
    seen = 0
    for name, tensor in before.items():
        scales = np.array(tensor.quant.scale)
        dead = scales < 1e-6 * scales.max()
        if name.startswith("fully_connected"):
            continue
        assert dead.sum() == DEAD.dead
        changed = np.moveaxis(tensor.data != after[name].data, tensor.quant.axis, 0)
        changed = changed.reshape(len(scales), -1).any(axis=1)
        assert not changed[dead].any(), name
        assert changed[~dead].any(), name
        seen += 1
    assert seen == 6


def test_dead_channels_do_not_drown_the_others(trained: Session) -> None:
    counters = trained.counters()
    assert max(counters.exponents) < 5
    assert counters.weights_saturated < 50


def _trained_tensors(compiled: Compiled, weights: bytes | None = None) -> dict[str, Tensor]:
    """The trained tensors as they lie in WEIGHTS, one behind the other, each at a multiple of 4."""
    assert compiled.train is not None
    image = compiled.program.weights if weights is None else weights
    found, offset = {}, 0
    for tensor in compiled.train.graph.constants():
        if tensor.kind == "trainable":
            data = np.frombuffer(image, tensor.dtype, tensor.size, offset).reshape(tensor.shape)
            found[tensor.name] = replace(tensor, data=data)
            offset += -(-tensor.nbytes // 4) * 4
    assert offset == len(image)
    return found
