"""The knapsack finds the k best choices: all combinations agree on 1,000 random instances."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from tinyflash.search.knapsack import Option, best_choices


def brute(
    groups: list[list[Option]], limits: list[int | None], count: int
) -> list[tuple[float, tuple[int, ...]]]:
    """The gains and costs of the k best of all combinations."""
    found = []
    for chosen in itertools.product(*groups):
        costs = tuple(sum(o.costs[i] for o in chosen) for i in range(len(limits)))
        if all(limit is None or c <= limit for c, limit in zip(costs, limits, strict=True)):
            found.append((sum(o.gain for o in chosen), costs))
    return sorted(found, key=lambda f: -f[0])[:count]


def instance(rng: np.random.Generator) -> tuple[list[list[Option]], list[int | None], int]:
    dims = int(rng.integers(1, 4))
    whole = bool(rng.integers(2))  # equal gains are common then
    groups = []
    for _ in range(int(rng.integers(1, 6))):
        group = []
        for _ in range(int(rng.integers(1, 6))):
            gain = float(rng.integers(-3, 6)) if whole else float(rng.normal())
            group.append(Option(gain, tuple(rng.integers(0, 30, dims).tolist())))
        groups.append(group)
    most = [sum(max(o.costs[i] for o in g) for g in groups) for i in range(dims)]
    limits = [None if rng.integers(5) == 0 else int(rng.integers(0, m + 2)) for m in most]
    return groups, limits, int(rng.integers(1, 8))


@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_equals_brute_force(first: int) -> None:
    for seed in range(first, first + 250):
        groups, limits, count = instance(np.random.default_rng(seed))
        found, wanted = best_choices(groups, limits, count), brute(groups, limits, count)
        assert np.allclose([c.gain for c in found], [w[0] for w in wanted]), seed
        assert len({c.options for c in found}) == len(found) == len(wanted), seed
        for choice in found:
            chosen = [g[i] for g, i in zip(groups, choice.options, strict=True)]
            sums = tuple(sum(o.costs[i] for o in chosen) for i in range(len(limits)))
            assert choice.costs == sums
            assert all(m is None or c <= m for c, m in zip(sums, limits, strict=True))


def test_nothing_fits() -> None:
    assert best_choices([[Option(1.0, (5,))], [Option(1.0, (6,))]], [10]) == []


def test_a_network_of_many_layers() -> None:
    """50 layers with 5 options and three limits, as of a large network, take moments."""
    rng = np.random.default_rng(0)
    groups = []
    for _ in range(50):
        weights, macs = int(rng.integers(500, 20000)), int(rng.integers(10_000, 900_000))
        gain = float(rng.gamma(1.0, 0.01))
        group = [Option(0.0, (0, 0, 0))]
        for share in (0.125, 0.25, 0.5, 1.0):
            costs = (int(weights * share), int(weights * share), int(macs * (1 + share)))
            group.append(Option(gain * share**0.5 * float(rng.uniform(0.8, 1.2)), costs))
        groups.append(group)
    begin = time.process_time()
    found = best_choices(groups, [40_000, 60_000, 8_000_000], 4)
    assert len(found) == 4
    assert time.process_time() - begin < 10


def test_gains_like_costs_end_soon() -> None:
    """Layers that gain what they cost, nearly: almost no choice of them dominates another."""
    rng = np.random.default_rng(0)
    counts = rng.integers(100, 30_000, 25).tolist()
    groups = [
        [Option(n * r**0.5, (int(n * r), 0)) for r in (0, 0.125, 0.25, 0.5, 1)] for n in counts
    ]
    limit = sum(counts) // 3
    begin = time.process_time()
    found = best_choices(groups, [limit, 0], 12)
    assert time.process_time() - begin < 5
    assert len(found) == 12 and all(one.costs[0] <= limit for one in found)
    # No choice gains more than the share of each layer at one price of a byte (a Lagrange bound).
    bound = min(
        price * limit + sum(max(o.gain - price * o.costs[0] for o in g) for g in groups)
        for price in np.linspace(0.1, 3, 300)
    )
    assert 0.999 * bound < found[0].gain <= bound
