"""The small network that tests of training share: it learns three classes of 6x6x2 maps."""

from __future__ import annotations

import numpy as np
from tests.support.graphs import Net, same

from tinyflash.compiler import Compiled, compile_model
from tinyflash.graph import Graph
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import parse_scheme

SCHEME = parse_scheme("head = 3\n[[update]]\nlast = 1\nweights = 0.5\nbias = true")


def learner_graph() -> Graph:
    """A convolution and a classifier of four classes."""
    net = Net(np.random.default_rng(5))
    x = net.conv2d(net.input((6, 6, 2)), 8, same((6, 6, 2), 3))
    return net.graph(net.fully_connected(net.reshape(x, (1, 288)), 4))


def learner() -> Compiled:
    return compile_model(learner_graph(), SCHEME, seed=9)


def learned(graph: Graph, scheme: str, dead: str, steps: int = 24) -> Graph:
    """The whole network after some steps, dead channels kept or removed."""
    compiled = compile_model(graph, parse_scheme(f"dead_channels = '{dead}'\n{scheme}"), seed=8)
    session, rng = HostSession(compiled.program), np.random.default_rng(9)
    for step in range(steps):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        session.train_step(x, step % compiled.program.classes, 0.05)
    return compiled.learned(session.weights)
