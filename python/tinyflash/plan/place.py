"""Gives each storage an offset in the arena, so that no two live at once overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyflash.graph import Graph
from tinyflash.plan.lifetimes import Storage, lifetimes

ALIGNMENT = 4


@dataclass(frozen=True)
class Placement:
    """A storage at `offset` bytes."""

    storage: Storage
    offset: int

    @property
    def end(self) -> int:
        return self.offset + _aligned(self.storage.nbytes)


@dataclass(frozen=True)
class Plan:
    """Where everything of one graph lives in the arena.

    `lower_bound`: the largest sum of live bytes at any node, which no plan can undercut;
    `peak_step`: the first node where it stands.
    """

    placements: tuple[Placement, ...]
    arena_bytes: int
    lower_bound: int
    peak_step: int

    def offset(self, tensor: str) -> int:
        return next(p.offset for p in self.placements if tensor in p.storage.tensors)

    def live_at(self, step: int) -> tuple[Placement, ...]:
        """What is live while node `step` runs, largest first."""
        live = [p for p in self.placements if p.storage.first <= step <= p.storage.last]
        return tuple(sorted(live, key=lambda p: -p.storage.nbytes))


def plan(graph: Graph) -> Plan:
    """Places greedily in several orders and keeps the smallest; the first one that meets the
    lower bound ends the search."""
    storages = lifetimes(graph)
    bound, peak = _lower_bound(storages, len(graph.nodes))
    best: tuple[Placement, ...] = ()
    for order in _ORDERS:
        placements = _first_fit(sorted(storages, key=order))
        if not best or _height(placements) < _height(best):
            best = placements
        if _height(best) == bound:
            break
    return Plan(best, _height(best), bound, peak)


def _span(s: Storage) -> int:
    return s.last - s.first + 1


_ORDERS: tuple[Callable[[Storage], tuple[int, ...]], ...] = (
    lambda s: (-s.nbytes, s.first),
    lambda s: (-s.nbytes * _span(s), s.first),
    lambda s: (-_span(s), -s.nbytes),
    lambda s: (s.first, -s.nbytes),
    lambda s: (s.last, -s.nbytes),
)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _height(placements: Sequence[Placement]) -> int:
    return max((p.end for p in placements), default=0)


def _lower_bound(storages: Sequence[Storage], steps: int) -> tuple[int, int]:
    sums = [
        sum(_aligned(s.nbytes) for s in storages if s.first <= step <= s.last)
        for step in range(-1, steps + 1)
    ]
    bound = max(sums)
    return bound, min(max(sums.index(bound) - 1, 0), max(steps - 1, 0))


def _first_fit(storages: Sequence[Storage]) -> tuple[Placement, ...]:
    placed: list[Placement] = []
    for storage in storages:
        rivals = [
            p
            for p in placed
            if p.storage.first <= storage.last and storage.first <= p.storage.last
        ]
        placed.append(Placement(storage, _lowest_gap(rivals, _aligned(storage.nbytes))))
    return tuple(placed)


def _lowest_gap(rivals: Sequence[Placement], nbytes: int) -> int:
    offset = 0
    for rival in sorted(rivals, key=lambda p: p.offset):
        if rival.offset - offset >= nbytes:
            break
        offset = max(offset, rival.end)
    return offset
