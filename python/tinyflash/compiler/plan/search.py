"""Finds a placement of at most a given height, or proves that there is none, by branch and bound.

Any placement can be pushed down until each storage is at 0, or as close above another one as their
distance allows. So it is enough to place storages in the order of their offsets, each as low as
those before it allow. The search only chooses this order. A branch ends if

- the storages that are live at some time and not yet placed do not fit above the lowest offset that
one of them can take;
- it skips a storage that fits wholly below the one placed, since that one could be pushed down;
- the remaining storages and their lowest offsets are the same as in a branch that has failed.

Remaining storages that share no time with the other remaining ones are a separate problem.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from tinyflash.compiler.plan.problem import Numbers, Problem
from tinyflash.graph import ALIGNMENT

_FAR = 1 << 48  # above any offset


class _Group(NamedTuple):
    """The remaining storages, in the order in which they become live, and the lowest possible
    offset of every storage.

    touched: the storage placed last, and those whose lowest offset it raised.
    """

    members: Numbers
    lowest: Numbers
    touched: Numbers


# Yields a group to ask whether it can be placed, is sent the answer, and returns its own answer.
_Step = Generator[_Group, bool, bool]


class _Traits(NamedTuple):
    """The sort keys of the members of a group."""

    lowest: Numbers
    load: Numbers
    area: Numbers
    first: Numbers


# Sort keys, the last one is the primary key.
_Order = Callable[[_Traits], tuple[Numbers, ...]]
_ORDERS: tuple[_Order, ...] = (
    lambda t: (-t.area, -t.load, t.lowest),
    lambda t: (t.first, -t.area, t.lowest),
    lambda t: (-t.area, -t.load),
)


class Answer(NamedTuple):
    """The offsets, if found; whether the search finished; the number of groups it visited."""

    offsets: tuple[int, ...] | None
    ended: bool
    nodes: int


def search(problem: Problem, height: int, nodes: int) -> Answer:
    """Searches for a placement of at most `height`, and visits at most `nodes` groups.

    Tries several orders of choice in turn: where one fails after many groups, another often
    succeeds after few.
    """
    looked = 0
    for order in _ORDERS:
        answer = _Search(problem, height, order).run(nodes // len(_ORDERS))
        looked += answer.nodes
        if answer.ended:
            break
    return answer._replace(nodes=looked)


class _Search:
    """Tables of a problem, and the state of one search: offsets, and groups that failed."""

    def __init__(self, problem: Problem, height: int, order: _Order) -> None:
        self.height, self.order = height, order
        self.sizes = np.array(problem.sizes)
        self.first = np.array([s.first for s in problem.storages])
        self.last = np.array([s.last for s in problem.storages])
        self.times = np.unique(self.first)
        self.begins = self.times.searchsorted(self.first)  # indices of times
        self.ends = self.times.searchsorted(self.last, "right")
        times = self.times[:, np.newaxis]
        self.live = (self.first <= times) & (times <= self.last)  # by time and storage
        self.load = (self.live * (self.live @ self.sizes)[:, np.newaxis]).max(axis=0)
        self.area = self.sizes * (self.last - self.first + 1)
        self.distances = np.full((len(self.sizes),) * 2, -_FAR)
        for i, rivals in enumerate(problem.rivals):
            self.distances[i, rivals] = self.sizes[i]
        self.over, self.under, distance = np.array(problem.pairs, np.int64).reshape(-1, 3).T
        self.distances[self.over, self.under] = distance
        self.shared = np.minimum(self.sizes[self.over] - distance, self.sizes[self.under])
        self.offsets = np.zeros_like(self.sizes)
        self.failed: set[bytes] = set()

    def run(self, nodes: int) -> Answer:
        """Keeps the steps in a list: there can be more than the interpreter's stack holds."""
        members = np.argsort(self.first, kind="stable")
        everything = _Group(members, np.zeros_like(self.sizes), members)
        steps = [self._all_fit(everything)]
        answer: bool | None = None
        asked = 0
        while steps:
            try:
                group = steps[-1].send(answer)  # type: ignore[arg-type]  # None starts a step
            except StopIteration as end:
                steps.pop()
                answer = end.value
                continue
            if asked == nodes:
                return Answer(None, False, asked)
            asked += 1
            steps.append(self._fits(group))
            answer = None
        return Answer(tuple(self.offsets.tolist()) if answer else None, True, asked)

    def _all_fit(self, group: _Group) -> _Step:
        """Whether every independent part of a group can be placed. Parts share no time."""
        for part in self._parts(group):
            if not (yield part):
                return False
        return True

    def _parts(self, group: _Group) -> Iterator[_Group]:
        """Returns the parts, small ones first: they are decided quickly."""
        until = np.maximum.accumulate(self.last[group.members])
        cuts = np.flatnonzero(self.first[group.members][1:] > until[:-1]) + 1
        for members in sorted(np.split(group.members, cuts), key=len):
            if len(members):
                yield _Group(members, group.lowest, group.touched)

    def _fits(self, group: _Group) -> _Step:
        """Whether a group can be placed: tries one of its storages first, then the others."""
        members, lowest = group.members, group.lowest[group.members]
        digest = blake2b(members.tobytes() + lowest.tobytes(), digest_size=16).digest()
        if digest in self.failed:
            return False
        if not self._hopeless(group):
            for position in self._choices(members, lowest):
                if (yield from self._all_fit(self._after(group, position))):
                    return True
        self.failed.add(digest)
        return False

    def _hopeless(self, group: _Group) -> bool:
        """Whether the members live at some time exceed the height: all members with a lowest offset
        of at least some value need all their bytes above it, minus those that pairs share.

        Skips times at which no touched storage is live: nothing has changed there since the last
        check.
        """
        times = self._times_of(group)
        members = group.members[self.live[np.ix_(times, group.members)].any(axis=0)]
        lowest = group.lowest[members]
        order = np.argsort(-lowest, kind="stable")
        live = self.live[np.ix_(times, members[order])]
        taken = live * self.sizes[members[order]]
        rank = np.full(len(self.sizes), len(members))
        rank[members[order]] = np.arange(len(members))
        later = np.maximum(rank[self.over], rank[self.under])
        for pair in np.flatnonzero(later < len(members)):
            both = live[:, rank[self.over[pair]]] & live[:, rank[self.under[pair]]]
            taken[:, later[pair]] -= both * self.shared[pair]
        tops = np.cumsum(taken, axis=1) + lowest[order]
        return bool((live & (tops > self.height)).any())

    def _times_of(self, group: _Group) -> Numbers:
        """Returns the indices of the group's times at which a touched storage is live."""
        changes = np.zeros(len(self.times) + 1, np.int64)
        np.add.at(changes, self.begins[group.touched], 1)
        np.add.at(changes, self.ends[group.touched], -1)
        start = int(self.begins[group.members].min())
        end = int(self.ends[group.members].max())
        return np.flatnonzero(changes.cumsum()[start:end]) + start

    def _choices(self, members: Numbers, lowest: Numbers) -> list[int]:
        """Returns the positions of the members that may come first, most promising first."""
        bound = max((lowest + self.sizes[members]).min(), lowest.min() + ALIGNMENT)
        traits = _Traits(lowest, self.load[members], self.area[members], self.first[members])
        order = np.lexsort(self.order(traits))
        positions: list[int] = order[lowest[order] < bound].tolist()
        return positions

    def _after(self, group: _Group, position: int) -> _Group:
        """Returns the rest of a group, after placing the member at `position` as low as
        possible."""
        chosen = group.members[position]
        offset = self.offsets[chosen] = group.lowest[chosen]
        lowest = np.maximum(group.lowest, offset + self.distances[chosen])
        others = np.delete(group.members, position)
        lowest[others] = np.maximum(lowest[others], offset)  # they come later, so they are higher
        raised = others[lowest[others] > group.lowest[others]]
        return _Group(others, lowest, np.append(raised, chosen))
