"""The multiple-choice knapsack, exactly: one option of every group, within limits, k best first.

A scheme is such a choice: of every layer one option, with a gain, and costs in bytes and
instructions. Partial choices go from group to group. One is dropped if it exceeds a limit, if k
others cost no more and gain no less, or if even the best that may follow (a bound by Lagrange
multipliers) is below k choices known already. None of these drops one of the k best.

Where gains and costs of many groups are nearly proportional, almost nothing is dropped. Of more
partial choices than MOST, those of the largest worth at the multipliers' prices go on; the result
is then close to the best, and no longer proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tinyflash.errors import InternalError

BEAM = 256  # partial choices of the quick search that finds the first known choices
MOST = (1 << 15, 1 << 12)  # partial choices that go on, with one cost, and with more
STEPS = 8  # of the search for multipliers, for each group
SMALLEST = 1e-6  # of these steps, of the first
ROUNDING = 1e-9  # of sums of gains, relative
BLOCK = 512  # rows that are compared with all others at once

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Option:
    """What may be chosen of a group. costs: one for each limit."""

    gain: float
    costs: tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """The number of the option of each group, with the sums of its gains and costs."""

    options: tuple[int, ...]
    gain: float
    costs: tuple[int, ...]


def best_choices(
    groups: Sequence[Sequence[Option]], limits: Sequence[int | None], count: int = 1
) -> list[Choice]:
    """Returns the `count` choices with the largest gains, largest first, of equals the one with
    lower option numbers; fewer if there are fewer within the limits. None: no limit."""
    if count < 1 or any(not group for group in groups):
        raise InternalError("a knapsack needs a count of at least 1, and options in every group")
    problem = _Problem(groups, limits, count)
    known = problem.run(BEAM, -np.inf)
    floor = known[count - 1].gain if len(known) >= count else -np.inf
    return problem.run(0, floor)


@dataclass
class _States:
    """Partial choices. picked: the options, [state][group so far]."""

    gain: Reals
    cost: Ints
    picked: Ints

    def take(self, which: npt.NDArray[np.generic]) -> _States:
        return _States(self.gain[which], self.cost[which], self.picked[which])


@dataclass
class _Problem:
    groups: Sequence[Sequence[Option]]
    limits: Sequence[int | None]
    count: int

    @cached_property
    def kept(self) -> list[int]:
        """The numbers of the costs that have a limit."""
        return [i for i, limit in enumerate(self.limits) if limit is not None]

    @cached_property
    def caps(self) -> Ints:
        return np.array([self.limits[i] for i in self.kept], np.int64)

    @cached_property
    def gains(self) -> list[Reals]:
        return [np.array([o.gain for o in group], np.float64) for group in self.groups]

    @cached_property
    def costs(self) -> list[Ints]:
        return [
            np.array([[o.costs[i] for i in self.kept] for o in group], np.int64).reshape(
                len(group), len(self.kept)
            )
            for group in self.groups
        ]

    @cached_property
    def varying(self) -> list[int]:
        """Of the costs that have a limit, those that some option has."""
        return [i for i in range(len(self.kept)) if any(cost[:, i].any() for cost in self.costs)]

    @cached_property
    def prices(self) -> Reals:
        """Multipliers of the costs with a low dual value, by subgradient steps. Any would do."""
        prices = np.zeros(len(self.kept))
        best, found = np.inf, prices
        scale = np.maximum(self.caps, 1).astype(np.float64)
        size = sum(float(np.ptp(g)) for g in self.gains) or 1.0
        steps = STEPS * len(self.groups) if self.kept else 0
        for step in range(steps):
            value, used = float(prices @ self.caps), np.zeros(len(self.kept))
            for gain, cost in zip(self.gains, self.costs, strict=True):
                reduced = gain - cost @ prices
                at = int(reduced.argmax())
                value += float(reduced[at])
                used += cost[at]
            if value < best:
                best, found = value, prices
            over = (used - self.caps) / scale
            length = float(np.abs(over).max()) or 1.0
            prices = np.maximum(
                prices + size * SMALLEST ** (step / steps) * over / (length * scale), 0
            )
        return found

    @cached_property
    def ahead(self) -> list[float]:
        """The most that the groups from each one on can add, at these prices."""
        most = [
            float((g - c @ self.prices).max()) for g, c in zip(self.gains, self.costs, strict=True)
        ]
        return [sum(most[i:]) for i in range(len(most) + 1)]

    @cached_property
    def least(self) -> list[Ints]:
        """The least costs of the groups from each one on."""
        least = [cost.min(axis=0) for cost in self.costs]
        none = np.zeros(len(self.kept), np.int64)
        return [sum(least[i:], none) for i in range(len(least) + 1)]

    def run(self, beam: int, floor: float) -> list[Choice]:
        """Returns the best choices of gain `floor` and more. beam: the most partial choices to
        keep; 0: all, so that the result is exact."""
        none = np.zeros((1, len(self.kept)), np.int64)
        states = _States(np.zeros(1), none, np.zeros((1, 0), np.int64))
        for group in range(len(self.groups)):
            states = self._bounded(self._expanded(states, group), group + 1, floor)
            most = beam or MOST[len(self.varying) > 1]
            if beam or len(states.gain) > most:
                worth = states.gain - states.cost @ self.prices
                states = states.take(np.argsort(-worth, kind="stable")[:most])
            if not beam:
                states = states.take(self._undominated(states))
        return self._choices(states)

    def _expanded(self, states: _States, group: int) -> _States:
        gain, cost = self.gains[group], self.costs[group]
        count, options = len(states.gain), len(gain)
        picked = np.repeat(states.picked, options, axis=0)
        own = np.tile(np.arange(options), count)[:, None]
        return _States(
            (states.gain[:, None] + gain).ravel(),
            (states.cost[:, None] + cost).reshape(count * options, len(self.kept)),
            np.concatenate([picked, own], axis=1),
        )

    def _bounded(self, states: _States, group: int, floor: float) -> _States:
        fits = (states.cost + self.least[group] <= self.caps).all(axis=1)
        bound = states.gain + self.ahead[group] + (self.caps - states.cost) @ self.prices
        slack = ROUNDING * (1 + abs(floor)) if np.isfinite(floor) else 0.0
        return states.take(fits & (bound >= floor - slack))

    def _undominated(self, states: _States) -> npt.NDArray[np.generic]:
        """Returns the states that fewer than `count` others dominate, best first: those gain no
        less, of equals earlier ones, and cost no more."""
        order = np.argsort(-states.gain, kind="stable")
        cost = states.cost[order]
        if len(self.varying) == 1:
            return order[self._cheapest(cost[:, self.varying[0]])]
        kept = np.ones(len(order), np.bool_)
        for start in range(0, len(order), BLOCK):
            stop = min(start + BLOCK, len(order))
            before = (cost[None, :stop] <= cost[start:stop, None]).all(axis=2)
            before &= np.arange(stop)[None, :] < np.arange(start, stop)[:, None]
            kept[start:stop] = before.sum(axis=1) < self.count
        return order[kept]

    def _cheapest(self, cost: Ints) -> npt.NDArray[np.intp]:
        """Returns the states, best first, that are cheaper than all before them; of the others,
        again; and so on, `count` times. One that is left out has as many before it, each cheaper
        than the next one, that dominate it."""
        left, found = np.arange(len(cost)), []
        for _ in range(self.count):
            least = np.minimum.accumulate(cost[left])
            first = np.concatenate([[True], cost[left][1:] < least[:-1]])[: len(left)]
            found.append(left[first])
            left = left[~first]
        return np.sort(np.concatenate(found))

    def _choices(self, states: _States) -> list[Choice]:
        found = [self._choice(tuple(row)) for row in states.picked.tolist()]
        return sorted(found, key=lambda c: (-c.gain, c.options))[: self.count]

    def _choice(self, options: tuple[int, ...]) -> Choice:
        chosen = [group[i] for group, i in zip(self.groups, options, strict=True)]
        costs = (sum(o.costs[i] for o in chosen) for i in range(len(self.limits)))
        return Choice(options, sum(o.gain for o in chosen), tuple(costs))
