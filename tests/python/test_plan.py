"""Placement and its checker, which judge each other: random graphs, corrupted plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.agree.graphs import Net, same
from tests.agree.random_graphs import random_graph

from tinyflash.compiler import compile_model
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Window
from tinyflash.lower.program import Planned
from tinyflash.plan import Plan, check, plan

GRAPHS = 40
CORRUPTIONS = 1000


def planned(seed: int) -> Planned:
    graph, scheme = random_graph(seed)
    train = compile_model(graph, scheme).train
    assert train is not None
    return train


def test_plans_of_random_graphs_stay_near_their_lower_bound() -> None:
    excess = [p.plan.arena_bytes / p.plan.lower_bound for p in map(planned, range(GRAPHS))]
    assert min(excess) >= 1.0
    assert np.mean(np.array(excess) == 1.0) >= 0.9
    assert max(excess) <= 1.1


def corrupted(plan_: Plan, rng: np.random.Generator) -> Plan:
    """The plan with one storage moved to where it shares bytes with another live at once."""
    while True:
        a, b = rng.choice(len(plan_.placements), 2)
        p, q = plan_.placements[a], plan_.placements[b]
        together = p.storage.first <= q.storage.last and q.storage.first <= p.storage.last
        if a != b and together:
            placements = list(plan_.placements)
            placements[a] = replace(p, offset=q.offset)
            size = max(plan_.arena_bytes, q.offset + p.storage.nbytes)
            return replace(plan_, placements=tuple(placements), arena_bytes=size)


def test_the_checker_rejects_every_corrupted_plan() -> None:
    rng = np.random.default_rng(0)
    subjects = [planned(seed) for seed in range(20)]
    for _ in range(CORRUPTIONS):
        subject = subjects[rng.integers(len(subjects))]
        with pytest.raises(InternalError, match=r"plan: "):
            check(subject.graph, corrupted(subject.plan, rng))


@pytest.mark.parametrize("offset", [-4, 2, 1 << 20])
def test_the_checker_rejects_places_outside_and_unaligned(offset: int) -> None:
    subject = planned(3)
    first, *others = subject.plan.placements
    broken = replace(subject.plan, placements=(replace(first, offset=offset), *others))
    with pytest.raises(InternalError, match="outside of the arena or unaligned"):
        check(subject.graph, broken)


def residual() -> Graph:
    net = Net(np.random.default_rng(0))
    a = net.conv2d(net.input((8, 8, 2)), 4, same((8, 8, 2), 3))
    b = net.conv2d(a, 4, Window((1, 1)))
    return net.graph(net.reshape(net.add(a, b), (1, 256)))


def test_a_sum_works_in_place_and_a_reshape_moves_nothing() -> None:
    result = plan(residual())
    homes = [p.storage.tensors for p in result.placements]
    assert ("conv2d_0_y", "add_2_y", "reshape_3_y") in homes
    assert result.arena_bytes == result.lower_bound == 2 * 256


def test_the_peak_names_what_stands_there() -> None:
    result = plan(residual())
    names = [p.storage.name for p in result.live_at(result.peak_step)]
    assert sorted(names) == ["conv2d_0_y", "conv2d_1_y"]
