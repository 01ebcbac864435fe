"""The small network that tests of training share: it learns three classes of 6x6x2 maps."""

from __future__ import annotations

import numpy as np
from tests.support.graphs import Net, same

from tinyflash.compiler import Compiled, compile_model
from tinyflash.graph import Graph
from tinyflash.scheme import parse_scheme

SCHEME = parse_scheme("head = 3\n[[update]]\nlast = 1\nweights = 0.5\nbias = true")


def learner_graph() -> Graph:
    """A convolution and a classifier of four classes."""
    net = Net(np.random.default_rng(5))
    x = net.conv2d(net.input((6, 6, 2)), 8, same((6, 6, 2), 3))
    return net.graph(net.fully_connected(net.reshape(x, (1, 288)), 4))


def learner() -> Compiled:
    return compile_model(learner_graph(), SCHEME, seed=9)
