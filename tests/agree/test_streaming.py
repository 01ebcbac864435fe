"""Depth-first execution: whatever chains of a network are streamed, the bytes stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.chains import Chain, streamed_throughout
from tests.support.random_graphs import NEWER, random_graph
from tests.support.twin import train_side_by_side

from tinyflash.compiler import compile_model
from tinyflash.compiler import pipeline as compiler
from tinyflash.compiler.plan import Plan, check, plan
from tinyflash.compiler.plan.planner import placed
from tinyflash.compiler.plan.rows import rows
from tinyflash.errors import InternalError
from tinyflash.graph import Graph
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Rule, Scheme

GROUPS = 8  # of random networks; a test of pytest for each
NETWORKS = 12  # in a group
CHAINS = 40


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler streams whatever can be."""
    monkeypatch.setattr(compiler, "plan", lambda g, *_, **__: placed(g, streamed_throughout(g)))


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("group", range(GROUPS))
def test_streamed_networks_learn_what_the_reference_learns(group: int) -> None:
    rings = 0
    own = range(1000 + group, 1000 + group + GROUPS * NETWORKS, GROUPS)
    for seed in (*own, *range(NEWER + group, NEWER + 32, GROUPS)):
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, seed=seed, row_source=bool(seed % 3))
        assert compiled.train is not None
        rings += len(compiled.train.plan.rings)
        train_side_by_side(compiled, seed, steps=2)
    assert rings > 0


def trained(program_of: Graph, scheme: Scheme, **options: bool) -> tuple[bytes, bytes, bytes]:
    session = HostSession(compile_model(program_of, scheme, seed=5, **options).program)
    rng = np.random.default_rng(1)
    for label in range(3):
        x = rng.integers(-128, 128, program_of.tensors["x"].size, dtype=np.int8)
        session.train_step(x, label, 0.1)
    return session.weights, session.state, session.infer(x).tobytes()


@pytest.mark.parametrize("seed", range(CHAINS))
def test_chains_are_streamed_to_the_bit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Chain(seed).graph()
    scheme = Scheme((Rule(weights=0.5, bias=True),))
    monkeypatch.setattr(compiler, "plan", lambda g, *_, **__: plan(g, streamed=False))
    expected = trained(graph, scheme)
    monkeypatch.setattr(compiler, "plan", lambda g, *_, **__: placed(g, streamed_throughout(g)))
    assert trained(graph, scheme) == expected
    assert trained(graph, scheme, row_source=True) == expected


def planned(seed: int) -> tuple[Graph, Plan]:
    graph = Chain(seed).graph()
    return graph, placed(graph, streamed_throughout(graph))


@pytest.mark.parametrize("seed", range(CHAINS))
def test_every_row_is_computed_once(seed: int) -> None:
    graph, result = planned(seed)
    computed: dict[int, list[int]] = {}
    for call in result.calls:
        computed.setdefault(call.node, []).extend(range(call.first, call.first + call.count))
    for index, node in enumerate(graph.nodes):
        assert computed[index] == list(range(rows(graph, node).count))


@pytest.mark.parametrize("seed", range(CHAINS))
def test_no_ring_could_be_shorter(seed: int) -> None:
    """And so the checker notices when one is."""
    graph, result = planned(seed)
    check(graph, result)
    for tensor, ring in result.rings.items():
        shorter = replace(result, rings={**result.rings, tensor: ring - 1})
        with pytest.raises(InternalError, match="plan: "):
            check(graph, shorter)


@pytest.mark.parametrize("seed", range(CHAINS))
def test_the_checker_notices_calls_in_another_order(seed: int) -> None:
    """A call that is made before what it reads is there, left out, or made twice."""
    graph, result = planned(seed)
    rng = np.random.default_rng(seed)
    at = int(rng.integers(1, len(result.calls)))
    calls = list(result.calls)
    for broken in (calls[:at] + calls[at + 1 :], [*calls[:at], calls[at], *calls[at:]]):
        with pytest.raises(InternalError, match="plan: "):
            check(graph, replace(result, calls=tuple(broken)))
    last = [calls[-1], *calls[:-1]]
    with pytest.raises(InternalError, match="plan: "):
        check(graph, replace(result, calls=tuple(last)))
