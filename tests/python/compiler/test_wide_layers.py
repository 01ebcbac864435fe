"""Layers too wide for the loads of a kernel set are the reference's."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.graphs import Net

from tinyflash.compiler.kernels import chosen_set, kernel_sets
from tinyflash.graph import Window


@pytest.mark.parametrize(
    ("channels", "window", "chosen"),
    [
        (4680, Window((1, 1), (1, 2)), "mve"),
        (4700, Window((1, 1), (1, 2)), "ref"),  # 8 positions are more than 2^16 bytes apart
        (4700, Window((1, 1), (2, 1)), "mve"),  # rows of x are apart, not neighbours
        (4700, Window((1, 2)), "ref"),
    ],
)
def test_neighbours_that_a_load_gathers_are_near_enough(
    channels: int, window: Window, chosen: str
) -> None:
    net = Net(np.random.default_rng(1))
    net.conv2d(net.input((2, 15, channels)), 1, window)
    graph = net.graph(next(reversed(net.tensors)))
    assert chosen_set("conv2d_update", graph, graph.nodes[0], kernel_sets(["mve"])) == chosen


@pytest.mark.parametrize(
    ("width", "kernel", "chosen"),
    [(9362, 1, "mve"), (9363, 1, "ref"), (3120, 3, "mve"), (3121, 3, "ref")],
)
def test_eight_planes_of_a_row_are_near_enough(width: int, kernel: int, chosen: str) -> None:
    """As of a recording: a map of one row and thousands of columns."""
    net = Net(np.random.default_rng(1))
    net.depthwise(net.input((kernel, width, 3)), Window((kernel, 3)))
    graph = net.graph(next(reversed(net.tensors)))
    assert chosen_set("depthwise_forward", graph, graph.nodes[0], kernel_sets(["mve"])) == chosen
