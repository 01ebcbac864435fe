"""Depth-first execution: whatever chains of a network are streamed, the bytes stay the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from tests.agree.graphs import Net
from tests.agree.random_graphs import random_graph
from tests.agree.twin import train_side_by_side

from tinyflash import compiler
from tinyflash.compiler import compile_model
from tinyflash.errors import InternalError
from tinyflash.graph import Clip, Graph, Window
from tinyflash.host import Session
from tinyflash.passes.scheme import Rule, Scheme
from tinyflash.plan import Plan, check, plan
from tinyflash.plan.calls import Order, whole
from tinyflash.plan.planner import placed
from tinyflash.plan.rows import rows
from tinyflash.plan.stream import stream

GROUPS = 8  # of random networks; a test of pytest for each
NETWORKS = 12  # in a group
CHAINS = 40


def streamed_throughout(graph: Graph) -> Order:
    """Streams every chain of nodes that can be cut, whether it pays or not."""
    found = [rows(graph, node) for node in graph.nodes]
    calls, rings = [], {}
    for cut, run in groupby(range(len(found)), key=lambda i: found[i].cut):
        nodes = list(run)
        if cut:
            result = stream(graph, range(nodes[0], nodes[-1] + 1), found)
            calls += result.calls
            rings.update(result.rings)
        else:
            calls += [whole(graph).calls[i] for i in nodes]
    return Order(tuple(calls), rings)


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler streams whatever can be."""
    monkeypatch.setattr(compiler, "plan", lambda g: placed(g, streamed_throughout(g)))


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("group", range(GROUPS))
def test_streamed_networks_learn_what_the_reference_learns(group: int) -> None:
    rings = 0
    for seed in range(1000 + group, 1000 + group + GROUPS * NETWORKS, GROUPS):
        graph, scheme = random_graph(seed)
        compiled = compile_model(graph, scheme, seed=seed, row_source=bool(seed % 3))
        assert compiled.train is not None
        rings += len(compiled.train.plan.rings)
        train_side_by_side(compiled, seed, steps=2)
    assert rings > 0


class Chain:
    """A random chain of layers that slide over rows, with a sum that jumps over some of them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = Net(self.rng)
        height, width = self.pick(4, 33), self.pick(1, 13)
        self.x = self.net.input((height, width, self.pick(1, 5)), zero=self.pick(-20, 20))
        for _ in range(self.pick(2, 8)):
            self.grow()

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.net.tensors[self.x].shape

    def window(self, largest: int) -> Window:
        """Kernel 1 to `largest`, stride 1 or 2, any padding below the kernel."""
        height, width, _ = self.shape
        kernel = (self.pick(1, largest + 1), self.pick(1, min(largest, width + 2) + 1))
        padding = tuple(self.pick(0, kernel[i % 2]) for i in range(4))
        fits = height + padding[0] + padding[2] >= kernel[0]
        fits = fits and width + padding[1] + padding[3] >= kernel[1]
        stride = (self.pick(1, 3), self.pick(1, 3))
        return Window(kernel, stride, (1, 1), padding) if fits else Window((1, 1))

    def grow(self) -> None:
        channels = self.pick(1, 97) if self.pick(0, 3) == 0 else self.pick(1, 9)
        choice = self.pick(0, 6)
        if choice == 0:
            self.x = self.net.conv2d(self.x, channels, Window((1, 1)))
        elif choice == 1:
            self.x = self.net.conv2d(self.x, min(channels, 8), self.window(7))
        elif choice in (2, 3):
            self.x = self.net.depthwise(self.x, self.window(7))
        elif choice == 4:
            op = ("average_pool", "max_pool")[self.pick(0, 2)]
            self.x = self.net.pool(op, self.x, self.window(3), Clip(-100, 100))
        else:
            self.residual()

    def residual(self) -> None:
        """Pointwise, depthwise of the same size, pointwise, and the sum with where it began."""
        before, (_, _, channels) = self.x, self.shape
        inner = self.net.conv2d(before, 2 * channels, Window((1, 1)))
        kernel = 2 * self.pick(0, 4) + 1
        pad = kernel // 2
        slid = self.net.depthwise(inner, Window((kernel,) * 2, (1, 1), (1, 1), (pad,) * 4))
        self.x = self.net.add(before, self.net.conv2d(slid, channels, Window((1, 1))))

    def graph(self) -> Graph:
        pooled = self.net.mean(self.x, (0, 1))
        return self.net.graph(self.net.fully_connected(pooled, 3))


def trained(program_of: Graph, scheme: Scheme, **options: bool) -> tuple[bytes, bytes, bytes]:
    session = Session(compile_model(program_of, scheme, seed=5, **options).program)
    rng = np.random.default_rng(1)
    for label in range(3):
        x = rng.integers(-128, 128, program_of.tensors["x"].size, dtype=np.int8)
        session.train_step(x, label, 0.1)
    return session.weights, session.state, session.infer(x).tobytes()


@pytest.mark.parametrize("seed", range(CHAINS))
def test_chains_are_streamed_to_the_bit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Chain(seed).graph()
    scheme = Scheme((Rule(weights=0.5, bias=True),))
    monkeypatch.setattr(compiler, "plan", lambda g: plan(g, streamed=False))
    expected = trained(graph, scheme)
    monkeypatch.setattr(compiler, "plan", lambda g: placed(g, streamed_throughout(g)))
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
