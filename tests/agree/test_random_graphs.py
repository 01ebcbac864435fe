"""Random networks under random schemes: compiled and run by the C library, every byte of weights,
state and output equals the numpy reference after every step."""

from __future__ import annotations

import pytest
from tests.agree.random_graphs import random_graph
from tests.agree.twin import train_side_by_side

from tinyflash.compiler import compile_model
from tinyflash.graph import ROLES
from tinyflash.reference.environment import LAYERS

STEPS = 6
NETWORKS = 120
GROUPS = 12  # of networks; a test of pytest for each


@pytest.mark.parametrize("group", range(GROUPS))
def test_c_and_numpy_agree(group: int) -> None:
    for seed in range(group, NETWORKS, GROUPS):
        graph, scheme = random_graph(seed)
        train_side_by_side(compile_model(graph, scheme, seed=seed), seed, STEPS)


def test_random_networks_have_what_they_should() -> None:
    """Gradients of every operator, partly trained layers, and counters that move."""
    operators: set[str] = set()
    saturated = skipped = 0
    roles: set[str] = set()
    for seed in range(5 * GROUPS):
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, seed=seed)
        assert compiled.train is not None
        nodes = compiled.train.graph.nodes
        operators |= {node.op for node in nodes}
        roles |= {f"{node.op} {role}" for node in nodes for role in node.inputs}
        counters = train_side_by_side(compiled, seed, steps=3).counters()
        saturated += counters.weights_saturated + sum(counters.gradients_saturated)
        skipped += counters.updates_skipped
    training = {op for op in ROLES if op.endswith(("_update", "_backward_input", "_loss"))}
    assert operators >= {*training, "gradient_add", "keep"}
    assert saturated > 0
    assert skipped > 0
    for layer in LAYERS:
        assert {f"{layer}_update velocity", f"{layer}_update low"} <= roles
    assert "bias_update velocity" in roles
