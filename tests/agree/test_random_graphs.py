"""Random networks under random schemes: compiled and run by the C library, every byte of weights,
state and output equals the numpy reference after every step."""

from __future__ import annotations

import pytest
from tests.agree.random_graphs import random_graph
from tests.agree.twin import train_side_by_side

from tinyflash.compiler import compile_model

STEPS = 6
NETWORKS = 120
GROUPS = 12  # of networks; a test of pytest for each


@pytest.mark.parametrize("group", range(GROUPS))
def test_c_and_numpy_agree(group: int) -> None:
    for seed in range(group, NETWORKS, GROUPS):
        graph, scheme = random_graph(seed)
        train_side_by_side(compile_model(graph, scheme, seed=seed), seed, STEPS)


def test_random_networks_have_what_they_should() -> None:
    """Residual sums, every layer, partly trained layers, and counters that move."""
    operators: set[str] = set()
    saturated = 0
    for seed in range(GROUPS):
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, seed=seed)
        assert compiled.train is not None
        operators |= {node.op for node in compiled.train.graph.nodes}
        counters = train_side_by_side(compiled, seed, steps=2).counters()
        saturated += counters.weights_saturated + sum(counters.gradients_saturated)
    updates = {"conv2d_update", "depthwise_update", "fully_connected_update", "bias_update"}
    assert operators >= {*updates, "gradient_add", "keep", "mean_backward_input"}
    assert saturated > 0
