"""Placement and its checker, which judge each other: random graphs, corrupted plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.support.chains import streamed_throughout
from tests.support.graphs import Net, same
from tests.support.random_graphs import random_graph

from tinyflash.compiler import prepare
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.passes.prune import prune_to_updates
from tinyflash.compiler.pipeline import training_graph
from tinyflash.compiler.plan import Placement, Plan, check, plan
from tinyflash.compiler.plan.calls import Order, whole
from tinyflash.compiler.plan.overlap import overlaps
from tinyflash.compiler.plan.planner import depth_first, placed
from tinyflash.compiler.plan.rows import rows
from tinyflash.errors import InternalError
from tinyflash.graph import Graph, Window

GRAPHS = 200
CORRUPTED = 1000


def planned(seed: int, order: Callable[[Graph], Order] = depth_first) -> Planned:
    graph, scheme = random_graph(seed)
    train = prune_to_updates(training_graph(prepare(graph, scheme)))
    return Planned(train, placed(train, order(train)))


def test_plans_of_random_graphs_stay_near_their_lower_bound() -> None:
    excess = [p.plan.arena_bytes / p.plan.lower_bound for p in map(planned, range(GRAPHS))]
    assert min(excess) >= 1.0
    assert np.mean(np.array(excess) == 1.0) >= 0.95
    assert sum(e > 1.03 for e in excess) <= 1
    assert max(excess) <= 1.08


def on_top(subject: Planned, rng: np.random.Generator) -> Plan | None:
    """One storage moved to where another one begins that is needed together with it."""
    plan_ = subject.plan
    a, b = rng.choice(len(plan_.placements), 2)
    p, q = plan_.placements[a], plan_.placements[b]
    if a == b or not needed_together(subject, p, q):
        return None
    placements = list(plan_.placements)
    placements[a] = replace(p, offset=q.offset)
    size = max(plan_.arena_bytes, q.offset + p.storage.nbytes)
    return replace(plan_, placements=tuple(placements), arena_bytes=size)


def needed_together(subject: Planned, p: Placement, q: Placement) -> bool:
    """Whether the first row of one is written between the writing and a reading of the other's."""
    if any(len(x.storage.tensors) > 1 or x.storage.name in subject.plan.rings for x in (p, q)):
        return False
    first, second = sorted(first_row(subject, x.storage.name) for x in (p, q))
    return first[0] < second[0] < first[1]


def first_row(subject: Planned, tensor: str) -> tuple[int, int]:
    """The call that writes the first row of a tensor, and the last one that reads it."""
    written, read = -1, -1
    for index, call in enumerate(subject.plan.calls):
        node = subject.graph.nodes[call.node]
        if tensor in node.outputs.values() and call.first == 0:
            written = index
        spans = rows(subject.graph, node).reads.get(tensor, ())[call.first :][: call.count]
        if any(low == 0 < high for low, high in spans):
            read = index
    return written, read


def too_close(subject: Planned, rng: np.random.Generator) -> Plan | None:
    """Two storages that may overlap, the one on top a step nearer than it may be."""
    plan_ = subject.plan
    found = [rows(subject.graph, node) for node in subject.graph.nodes]
    order = Order(plan_.calls, plan_.rings)
    pairs = overlaps(subject.graph, found, order, [p.storage for p in plan_.placements])
    pairs = tuple(pair for pair in pairs if pair.distance > 0)  # else they may be nearer still
    if not pairs:
        return None
    pair = pairs[rng.integers(len(pairs))]
    places = {p.storage.name: p for p in plan_.placements}
    at = places[pair.under].offset - pair.distance
    near = replace(places[pair.over], offset=at // 4 * 4 + 4)
    placements = tuple(near if p.storage.name == pair.over else p for p in plan_.placements)
    size = max(plan_.arena_bytes, near.offset + near.storage.nbytes)
    return replace(plan_, placements=placements, arena_bytes=size) if near.offset >= 0 else None


def short(subject: Planned, rng: np.random.Generator) -> Plan | None:
    """A ring with a row too few."""
    if not subject.plan.rings:
        return None
    tensor = sorted(subject.plan.rings)[rng.integers(len(subject.plan.rings))]
    rings = {**subject.plan.rings, tensor: subject.plan.rings[tensor] - 1}
    return replace(subject.plan, rings=rings)


def early(subject: Planned, rng: np.random.Generator) -> Plan | None:
    """A call that is made before one that it depends on, or is left out."""
    calls = list(subject.plan.calls)
    at = int(rng.integers(1, len(calls)))
    call = calls.pop(at)
    if rng.integers(2):
        read = set(subject.graph.nodes[call.node].inputs.values())
        makers = [
            i
            for i, other in enumerate(calls[:at])
            if read & set(subject.graph.nodes[other.node].outputs.values())
        ]
        if not makers or subject.plan.rings.keys() & read:
            return None
        calls.insert(makers[0], call)
    return replace(subject.plan, calls=tuple(calls))


CORRUPTIONS = (on_top, on_top, too_close, short, early)


def test_the_checker_rejects_every_corrupted_plan() -> None:
    rng = np.random.default_rng(0)
    subjects = [planned(seed, streamed_throughout) for seed in range(10)]
    subjects += [planned(seed, whole) for seed in range(10, 20)]
    seen: Counter[str] = Counter()
    while seen.total() < CORRUPTED:
        subject = subjects[rng.integers(len(subjects))]
        corrupt = CORRUPTIONS[rng.integers(len(CORRUPTIONS))]
        broken = corrupt(subject, rng)
        if broken is not None:
            with pytest.raises(InternalError, match=r"plan: "):
                check(subject.graph, broken)
            seen[corrupt.__name__] += 1
    assert min(seen.values()) > CORRUPTED // 20, seen


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
    result = plan(residual(), streamed=False)
    homes = [p.storage.tensors for p in result.placements]
    assert ("conv2d_0_y", "add_2_y", "reshape_3_y") in homes
    assert result.arena_bytes == result.lower_bound == 2 * 256


def test_the_peak_names_what_stands_there() -> None:
    result = plan(residual(), streamed=False)
    names = [p.storage.name for p in result.live_at(result.peak_step)]
    assert sorted(names) == ["conv2d_0_y", "conv2d_1_y"]
