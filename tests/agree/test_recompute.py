"""What is computed again in the backward part is what was there before, in less memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.graphs import Net, same
from tests.support.random_graphs import NEWER, random_graph
from tests.support.twin import train_side_by_side

from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.passes.recompute import recompute
from tinyflash.compiler.verify import verify
from tinyflash.graph import Graph, Node, Window
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Scheme, parse_scheme

ALL = parse_scheme("[[update]]\nweights = 1\nbias = true")


def network() -> Graph:
    """Functions whose inputs and outputs are both kept: for their slopes, and for updates."""
    net = Net(np.random.default_rng(3))
    x = net.conv2d(net.input((8, 8, 2)), 8, same((8, 8), 3))
    for _ in range(3):
        x = net.conv2d(net.function(x, "hard_swish"), 8, Window((1, 1)))
    return net.graph(net.fully_connected(net.mean(x, (0, 1)), 3))


def both(graph: Graph, scheme: Scheme, seed: int) -> tuple[Compiled, Compiled]:
    plain = compile_model(graph, scheme, seed=seed)
    return plain, compile_model(graph, replace(scheme, recompute=True), seed=seed)


def recomputed(graph: Graph) -> tuple[Node, ...]:
    """What is computed behind the loss, though it is of the forward part."""
    loss = next(i for i, n in enumerate(graph.nodes) if n.operator.stage == "loss")
    forward = ("mask", "keep", "lookup")
    return tuple(n for n in graph.nodes[loss + 1 :] if n.op in forward)


def learned(compiled: Compiled, seed: int) -> bytes:
    session, rng = HostSession(compiled.program), np.random.default_rng(seed)
    for step in range(4):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        target = rng.integers(-128, 128, compiled.program.target_bytes, dtype=np.int8)
        if compiled.program.target_bytes:
            session.train_on_target(x, target, 0.1)
        else:
            session.train_step(x, step % compiled.program.classes, 0.1)
    return session.weights + session.state


def test_it_makes_the_arena_smaller_and_changes_no_bit() -> None:
    plain, less = both(network(), ALL, seed=1)
    assert plain.train is not None
    assert less.train is not None
    again = recomputed(less.train.graph)
    assert "lookup" in {node.op for node in again}
    assert less.train.plan.arena_bytes <= plain.train.plan.arena_bytes - 512
    assert learned(plain, 5) == learned(less, 5)
    train_side_by_side(less, seed=1, steps=4)


@pytest.mark.parametrize("seed", [*range(10), *(NEWER + n for n in (5, 6, 10, 14, 42))])
def test_random_networks_learn_the_same(seed: int) -> None:
    plain, less = both(*random_graph(seed), seed=seed)
    assert plain.train is not None
    assert less.train is not None
    assert less.train.plan.arena_bytes <= plain.train.plan.arena_bytes
    assert learned(plain, seed) == learned(less, seed)


def test_nothing_is_computed_again_for_nothing() -> None:
    plain, _ = both(network(), ALL, seed=1)
    assert plain.train is not None
    graph = plain.train.graph
    verify(graph)
    assert recompute(graph, lambda _: 1000) == graph
    assert recomputed(graph) == ()


def test_what_it_reads_is_there_anyway() -> None:
    """Wherever that would help."""
    sizes: list[int] = []

    def shrinking(graph: Graph) -> int:
        sizes.append(len(graph.nodes))
        return -len(sizes)

    plain, _ = both(network(), ALL, seed=1)
    assert plain.train is not None
    graph = recompute(plain.train.graph, shrinking)
    verify(graph)
    assert len(sizes) > 3
    again = recomputed(graph)
    for node in again:
        (x,) = [t for t in node.inputs.values() if graph.tensors[t].kind == "activation"]
        later = graph.nodes[graph.nodes.index(node) + 1 :]
        assert any(x in n.inputs.values() for n in later if n not in again), node.name
