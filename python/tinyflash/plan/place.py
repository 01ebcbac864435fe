"""Gives each storage an offset in the arena, so that no two live at once overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from tinyflash.graph import Graph
from tinyflash.plan.calls import Call, whole
from tinyflash.plan.lifetimes import Storage, lifetimes

ALIGNMENT = 4
EXCHANGES = 400


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
    """In which order rows are computed, and where everything of one graph lives in the arena.

    `lower_bound`: the largest sum of live bytes at any node, which no plan can undercut;
    `peak_step`: the first node where it stands. `rings`: tensors of which the arena holds only so
    many rows at a time, row r at r mod that number; all others are whole.
    """

    placements: tuple[Placement, ...]
    arena_bytes: int
    lower_bound: int
    peak_step: int
    calls: tuple[Call, ...]
    rings: Mapping[str, int] = field(default_factory=dict)

    def offset(self, tensor: str) -> int:
        return next(p.offset for p in self.placements if tensor in p.storage.tensors)

    def live_at(self, step: int) -> tuple[Placement, ...]:
        """What is live while node `step` runs, largest first."""
        live = [p for p in self.placements if p.storage.first <= step <= p.storage.last]
        return tuple(sorted(live, key=lambda p: -p.storage.nbytes))


def plan(graph: Graph) -> Plan:
    """The smallest of several greedy placements, improved by search where none meets the bound."""
    storages = lifetimes(graph)
    bound, peak = _lower_bound(storages, len(graph.nodes))
    orders = [sorted(storages, key=key) for key in _ORDERS]
    order = min(orders, key=lambda o: _height(_first_fit(o)))
    best = _first_fit(_improved(order, bound))
    return Plan(best, _height(best), bound, peak, whole(graph))


def _improved(order: list[Storage], bound: int) -> list[Storage]:
    """Exchanges two storages in the order of placement, repeatedly, while that does no harm."""
    random = Random(0)  # the same graph has the same plan
    height = _height(_first_fit(order))
    for _ in range(EXCHANGES):
        if height == bound:
            break
        other = list(order)
        i, j = random.randrange(len(order)), random.randrange(len(order))
        other[i], other[j] = other[j], other[i]
        changed = _height(_first_fit(other))
        if changed <= height:
            order, height = other, changed
    return order


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
            p for p in placed if p.storage.first <= storage.last and storage.first <= p.storage.last
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
