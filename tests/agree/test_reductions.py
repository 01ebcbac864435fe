"""What the passes remove changes no bit of inference, and what they leave trains alike in C and
numpy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.support.redundant_graphs import redundant_graph
from tests.support.twin import train_side_by_side

from tinyflash.compiler import compile_model
from tinyflash.compiler.passes.descend import descend
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.compiler.passes.order import order
from tinyflash.compiler.passes.prune import prune_to_updates
from tinyflash.compiler.passes.share import share
from tinyflash.compiler.passes.sparsify import sparsify
from tinyflash.compiler.verify import verify
from tinyflash.graph import Graph
from tinyflash.reference import Machine
from tinyflash.reference.arith import factor_of
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Scheme, resolve

NETWORKS = 48
GROUPS = 8


@pytest.mark.parametrize("group", range(GROUPS))
def test_inference_keeps_every_bit(group: int) -> None:
    """The C library runs what is left, the reference the network as it was."""
    for seed in range(group, NETWORKS, GROUPS):
        graph, _ = redundant_graph(seed)
        verify(graph)
        compiled, whole = compile_model(graph), Machine(graph)
        assert len(compiled.infer.graph.nodes) < len(graph.nodes)
        session, rng = HostSession(compiled.program), np.random.default_rng(seed)
        for _ in range(4):
            x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
            assert np.array_equal(session.infer(x), whole.infer(x)), seed


@pytest.mark.parametrize("group", range(GROUPS))
def test_training_agrees(group: int) -> None:
    for seed in range(group, NETWORKS, GROUPS):
        graph, scheme = redundant_graph(seed)
        train_side_by_side(compile_model(graph, scheme, seed=seed), seed, steps=3)


def test_each_reduction_occurs() -> None:
    """Operators that were there and are gone, over all networks."""
    gone: Counter[str] = Counter()
    for seed in range(NETWORKS):
        graph, _ = redundant_graph(seed)
        gone.update(node.op for node in graph.nodes)
        gone.subtract(node.op for node in compile_model(graph).infer.graph.nodes)
    for op in ("reshape", "transpose", "pad", "concatenate", "lookup", "average_pool", "max_pool"):
        assert gone[op] >= 3, op
    assert gone["add"] >= 3  # of constants
    assert gone["conv2d"] == 0


def unshared(graph: Graph, scheme: Scheme) -> Graph:
    """The training graph as it is before equal nodes become one."""
    updates = resolve(scheme, graph)
    full = sparsify(differentiate(graph, scheme.headroom, scheme.loss), updates)
    return descend(full, scheme.optimizer, updates)


def learned(graph: Graph, seed: int) -> tuple[dict[str, bytes], dict[str, int]]:
    """Weights, and exponents by the name of the gradient, after some steps of the reference."""
    machine, rng = Machine(graph, seed), np.random.default_rng(seed)
    for name in machine.scales:
        machine.scales[name].exponent = -12
    size = graph.tensors[graph.input.tensor].size
    for step in range(5):
        x = rng.integers(-128, 128, size)
        machine.train_step(x, step % 2, factor_of(0.05))
    exponents = {name: scale.exponent for name, scale in machine.scales.items()}
    return {name: data.tobytes() for name, data in machine.weights.items()}, exponents


@pytest.mark.parametrize("seed", range(20))
def test_sharing_and_order_change_no_bit_of_training(seed: int) -> None:
    graph, scheme = redundant_graph(seed)
    plain = prune_to_updates(unshared(graph, scheme))
    shared = prune_to_updates(share(unshared(graph, scheme)))
    assert learned(shared, seed) == learned(plain, seed)
    ordered = order(shared)
    assert learned(ordered, seed) == learned(plain, seed)
    assert sorted(map(repr, ordered.nodes)) == sorted(map(repr, shared.nodes))
