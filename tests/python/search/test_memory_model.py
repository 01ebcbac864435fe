"""The memory model of a search against compilations: published schemes, and random ones.

`--memory-pairs 500` compares as many random pairs of network and scheme.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType

import numpy as np
import pytest

from tinyflash.compiler import compile_uncalibrated, prepare
from tinyflash.graph import Graph
from tinyflash.layers import groups_of, last_layer
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme
from tinyflash.scheme.optimizer import Optimizer
from tinyflash.search.memory import MemoryModel
from tinyflash.search.memory.lives import Lives
from tinyflash.zoo import published
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.reference import reference_network

SMALL = ("activity", "digits")  # a few milliseconds each to compile; --memory-pairs takes all
MOST_ABOVE = 0.03


@dataclass(frozen=True)
class Pair:
    """Bytes of SRAM: by the model, and compiled."""

    model: int
    compiled: int

    @property
    def above(self) -> float:
        return self.model / self.compiled - 1

    @property
    def holds(self) -> bool:
        return 0 <= self.above <= MOST_ABOVE


def compared(model: MemoryModel, scheme: Scheme) -> Pair:
    program = compile_uncalibrated(model.prepared.under(scheme)).program
    found = model.of(scheme)
    assert (found.weights, found.state) == (len(program.weights), len(program.state))
    return Pair(found.sram, found.weights + found.state + program.arena_bytes)


def random_scheme(model: MemoryModel, rng: np.random.Generator) -> Scheme:
    """Some last layers: their biases, and some channels of some of them."""
    head = last_layer(model.prepared.forward)
    assert head is not None
    body = [
        one for one in model.canonical.layers.values() if one.reached and one.node.name != head.name
    ]
    chosen = body[len(body) - int(rng.integers(1, len(body) + 1)) :]
    rules = [Rule(layers=tuple(one.node.name for one in chosen), bias=bool(rng.integers(5)))]
    share = rng.random()
    for one in chosen:
        if rng.random() < share:
            ratio = float(rng.choice([0.125, 0.25, 0.5, 1.0]))
            whole = groups_of(one.node) > 1
            rules.append(Rule(layers=(one.node.name,), weights=1.0 if whole else ratio))
    optimizer = Optimizer(momentum=0.9 * bool(rng.integers(4) == 0), master=bool(rng.integers(2)))
    return Scheme(tuple(rules), head=4, optimizer=optimizer)


def graph_of(name: str) -> Graph:
    return reference_network(name) if name in published.NETWORKS else read(path_of(name))


def pairs(names: Sequence[str], count: int) -> list[Pair]:
    rng = np.random.default_rng(0)
    start = Scheme((Rule(last=1, bias=True),), head=4)
    models = [MemoryModel(prepare(graph_of(name), start)) for name in names]
    every = [models[i % len(models)] for i in range(count)]
    return [compared(model, random_scheme(model, rng)) for model in every]


def test_random_schemes(request: pytest.FixtureRequest) -> None:
    count = request.config.getoption("--memory-pairs")
    names = SMALL if count < 100 else (*SMALL, *published.NETWORKS)
    found = pairs(names, count)
    outside = [f"{pair} {pair.above:+.3f}" for pair in found if not pair.holds]
    assert not outside


@pytest.mark.parametrize("name", published.NETWORKS)
def test_published_schemes(name: str, request: pytest.FixtureRequest) -> None:
    """Of each network the scheme with the largest arena; with many pairs all of them."""
    schemes = published.schemes(name)
    every = request.config.getoption("--memory-pairs") >= 100
    labels = list(schemes) if every else list(schemes)[-1:]
    graph = reference_network(name)
    model = MemoryModel(prepare(graph, schemes[labels[0]]))
    for label in labels:
        assert compared(model, schemes[label]).holds, label


def test_a_scheme_takes_few_steps() -> None:
    """Some 4,500 calls of Python, 3 to 4 ms; a compilation takes millions."""
    model = MemoryModel(
        prepare(reference_network("mcunet-5fps"), Scheme((Rule(last=1, bias=True),)))
    )
    for scheme in published.schemes("mcunet-5fps").values():
        assert calls_of(lambda chosen=scheme: model.of(chosen)) < 10_000


def calls_of(work: Callable[[], object]) -> int:
    """How many functions of Python a piece of work calls."""
    count = 0

    def hear(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_momentum_and_16_bits_are_counted() -> None:
    graph = read(path_of("digits"))
    plain = Scheme((Rule(last=2, weights=0.5, bias=True),), head=4)
    model = MemoryModel(prepare(graph, plain))
    rich = replace(plain, optimizer=Optimizer(momentum=0.9, master=True))
    assert compared(model, rich).model - compared(model, plain).model > 0


def test_a_chain_of_overlaps_needs_more_than_any_time() -> None:
    """y is over x and z over y: 10 + 30 + 100 bytes if stacked, 140 and 130 if one is given up."""
    lives = Lives(
        size=[100, 40, 90, 7], born=[0, 2, 4, 1], death=[3, 5, 6, 9],
        overs={1: (0, 10), 2: (1, 30)},
    )  # fmt: skip
    assert lives.chained == 130 + 7  # z above y, and the map that is live meanwhile
    stacked = Lives(lives.size, lives.born, lives.death, {1: (0, 10), 2: (1, 5)})
    assert stacked.chained == 115 + 7
    apart = Lives(lives.size, lives.born, lives.death, {1: (0, 10)})
    assert apart.chained == 0
