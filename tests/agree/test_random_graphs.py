"""Random networks under random schemes: compiled and run by the C library, every byte of weights,
state and output equals the numpy reference after every step."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import networks
from tests.support.random_graphs import NEWER, random_graph
from tests.support.twin import train_side_by_side

from tinyflash.compiler import compile_model
from tinyflash.operators import OPERATORS
from tinyflash.read import read
from tinyflash.reference.environment import LAYERS
from tinyflash.scheme import parse_scheme

STEPS = 6
NETWORKS = 120
GROUPS = 12  # of networks; a test of pytest for each


@pytest.mark.parametrize("group", range(GROUPS))
def test_c_and_numpy_agree(group: int) -> None:
    for seed in (*range(group, NETWORKS, GROUPS), *range(NEWER + group, NEWER + 60, GROUPS)):
        graph, scheme = random_graph(seed)
        train_side_by_side(compile_model(graph, scheme, seed=seed), seed, STEPS)


def test_a_layer_that_reads_a_map_whole_is_trained_in_part(tmp_path: Path) -> None:
    """A fully connected one, without a reshape before it: its channels are not the map's."""
    (tmp_path / "net.tflite").write_bytes(networks.float_ends())
    for ratio in (0.03, 0.5):
        scheme = parse_scheme(f'[[update]]\nlayers = ["fully_connected_2"]\nweights = {ratio}')
        compiled = compile_model(read(tmp_path / "net.tflite"), scheme, seed=3)
        train_side_by_side(compiled, seed=3, steps=STEPS)


@pytest.mark.parametrize("name", ["conv_same", "conv_grouped", "depthwise_multiplier", "joined"])
def test_networks_that_end_in_a_map_learn(name: str, tmp_path: Path) -> None:
    """Whose loss makes the gradient of all its rows at once."""
    (tmp_path / "net.tflite").write_bytes(networks.NETWORKS[name]())
    scheme = parse_scheme("loss = 'mean_squared_error'\n[[update]]\nweights = 1.0\nbias = true")
    train_side_by_side(compile_model(read(tmp_path / "net.tflite"), scheme, seed=3), 3, STEPS)


def test_a_classifier_that_ends_in_a_log_softmax_learns_from_its_logits(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(networks.log_softmax())
    scheme = parse_scheme("[[update]]\nweights = 1.0\nbias = true")
    compiled = compile_model(read(tmp_path / "net.tflite"), scheme, seed=3)
    assert compiled.train is not None
    (loss,) = (n for n in compiled.train.graph.nodes if n.op == "softmax_loss")
    assert compiled.train.graph.producer(loss.inputs["x"]).op == "fully_connected"  # type: ignore[union-attr]
    train_side_by_side(compiled, seed=3, steps=STEPS)


def test_random_networks_have_what_they_should() -> None:
    """Gradients of every operator, partly trained layers, and counters that move."""
    operators: set[str] = set()
    saturated = skipped = 0
    roles: set[str] = set()
    for seed in (*range(5 * GROUPS), *(NEWER + n for n in (5, 6, 10, 14, 42))):
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, seed=seed)
        assert compiled.train is not None
        nodes = compiled.train.graph.nodes
        operators |= {node.op for node in nodes}
        roles |= {f"{node.op} {role}" for node in nodes for role in node.inputs}
        counters = train_side_by_side(compiled, seed, steps=3).counters()
        saturated += counters.weights_saturated + sum(counters.gradients_saturated)
        skipped += counters.updates_skipped
    training = {op for op, facts in OPERATORS.items() if facts.stage != "network"}
    assert operators >= training
    assert saturated > 0
    assert skipped > 0
    for layer in LAYERS:
        assert {f"{layer}_update velocity", f"{layer}_update low"} <= roles
    assert "bias_update velocity" in roles
