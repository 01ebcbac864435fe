"""Contribution analysis: what each part of a network gains on this data, if it is trained.

Two kinds of probes (Lin et al. 2022): the biases of the last k layers, over the classifier alone;
and a share of one layer's weights, over all biases. Each is judged by the held-out loss at the best
of a few rates, since a rate that suits one layer can ruin another, and as a mean over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Protocol

import numpy as np

from tinyflash.scheme import Scheme
from tinyflash.search.engine import Trial, Verdict
from tinyflash.search.engine.engine import OutOfTimeError
from tinyflash.search.space import Space

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# The first of a grid of three, which grows while its best rate is at an edge. The classifier alone
# likes larger rates than what trains the body.
BODY_FIRST, HEAD_FIRST, GRID = 2, 3, 3
SEEDS = (0, 1, 2)
FIRST, BETWEEN = (0.25, 1.0), (0.125, 0.5)  # ratios; the others if a first one gained
PROBE_SHARE = 0.4  # of the epochs, that a probe trains for: it ranks parts, and is not kept


class Trials(Protocol):
    """What trains candidates: an engine, or a benchmark that does so on several splits."""

    def verdicts(self, trials: Iterable[Trial]) -> dict[Trial, Verdict]:
        """Returns the verdict of each trial. Raises OutOfTimeError."""


@dataclass(frozen=True)
class Judged:
    """A scheme at its best rate: means over seeds. accuracy: None with targets."""

    rate: float
    loss: float
    accuracy: float | None
    losses: tuple[float, ...]


@dataclass
class Judge:
    """Trains schemes at several rates with the first seed, and at the best one with the others."""

    engine: Trials
    epochs: int
    seeds: Sequence[int] = SEEDS

    def short(self) -> Judge:
        """Returns the judge of probes."""
        return replace(self, epochs=ceil(PROBE_SHARE * self.epochs))

    def of(self, schemes: Sequence[Scheme]) -> dict[Scheme, Judged]:
        """Returns what becomes of each scheme that can be compiled. Raises OutOfTimeError."""
        best, verdicts = self._best(schemes)
        rest = {
            s: [Trial(s, trial.rate, self.epochs, seed) for seed in self.seeds[1:]]
            for s, trial in best.items()
        }
        verdicts |= self.engine.verdicts([t for trials in rest.values() for t in trials])
        return {s: _mean(best[s].rate, [verdicts[t] for t in (best[s], *rest[s])]) for s in rest}

    def _best(self, schemes: Sequence[Scheme]) -> tuple[dict[Scheme, Trial], dict[Trial, Verdict]]:
        """Returns the best trial of each scheme with the first seed, and all verdicts."""
        firsts = {s: BODY_FIRST if s.rules else HEAD_FIRST for s in schemes}
        grids = {s: list(range(first, first + GRID)) for s, first in firsts.items()}
        verdicts: dict[Trial, Verdict] = {}
        best: dict[Scheme, int] = {}
        while grids:
            trials = [self._trial(s, i) for s, grid in grids.items() for i in grid]
            verdicts |= self.engine.verdicts([t for t in trials if t not in verdicts])
            for scheme, grid in [*grids.items()]:
                found = {i: verdicts[self._trial(scheme, i)] for i in grid}
                best[scheme] = min(grid, key=lambda i: (found[i].loss, i))
                more = {best[scheme] - 1, best[scheme] + 1} & {*range(len(RATES))} - {*grid}
                grids[scheme] = sorted({*grid, *more})
                if found[best[scheme]].error or not more:
                    del grids[scheme]
        chosen = {s: self._trial(s, i) for s, i in best.items()}
        return {s: t for s, t in chosen.items() if not verdicts[t].error}, verdicts

    def _trial(self, scheme: Scheme, rate: int) -> Trial:
        return Trial(scheme, RATES[rate], self.epochs, self.seeds[0])


def _mean(rate: float, verdicts: Sequence[Verdict]) -> Judged:
    losses = tuple(v.loss for v in verdicts)
    accuracy = float(np.mean([v.accuracy for v in verdicts]))
    return Judged(rate, float(np.mean(losses)), accuracy, losses)


@dataclass
class Gains:
    """What is known so far. biases: gain by depth. weights: gain by layer and ratio. complete:
    False if the time was over before all probes were."""

    biases: dict[int, float] = field(default_factory=dict)
    weights: dict[str, dict[float, float]] = field(default_factory=dict)
    complete: bool = True

    def of_depth(self, depth: int) -> float:
        """Returns the gain of a depth, between those that were probed by a line."""
        known = {0: 0.0, **self.biases}
        return float(np.interp(depth, sorted(known), [known[d] for d in sorted(known)]))

    def of_layer(self, name: str, ratio: float) -> float:
        """Returns the gain of a share of a layer's weights: 0 if unknown. Between ratios that were
        probed it is on a line over their logarithms."""
        known = self.weights.get(name, {})
        if not known:
            return 0.0
        at = sorted(known)
        return float(np.interp(np.log(ratio), np.log(at), [known[r] for r in at]))

    def may_gain(self, name: str) -> bool:
        """Whether some share of a layer's weights has gained, or none was probed."""
        return max(self.weights.get(name, {}).values(), default=1.0) > 0


Told = Callable[[str], object]
Fits = Callable[[Scheme], bool]


def probe(
    space: Space,
    judge: Judge,
    told: Told = lambda _: None,
    fits: Fits = lambda _: True,
) -> Gains:
    """Probes depths first, then every layer at ever more ratios; stops when the time is over.

    fits: whether a scheme can be within the limits; what cannot is not probed.
    """
    gains = Gains()
    try:
        told("biases of the last layers")
        depths = _depths(space, fits)
        found = judge.of([space.scheme(depth) for depth in depths])
        losses = {d: found[s].loss for d in depths if (s := space.scheme(d)) in found}
        gains.biases = {d: losses[0] - loss for d, loss in losses.items() if d}
        reference = losses[max(losses)]
        for ratio in FIRST + BETWEEN:
            told(f"{ratio:g} of each layer's weights")
            chosen = _of_weights(space, ratio, max(losses), fits)
            if ratio in BETWEEN:
                chosen = {n: s for n, s in chosen.items() if gains.may_gain(n)}
            found = judge.of(list(chosen.values()))
            for name, scheme in chosen.items():
                if scheme in found:
                    gain = reference - found[scheme].loss
                    gains.weights.setdefault(name, {})[ratio] = gain
    except OutOfTimeError:
        gains.complete = False
        if not gains.biases:
            raise
    return gains


def _depths(space: Space, fits: Fits) -> list[int]:
    """Returns the depths to probe, 0 and the deepest that fits among them."""
    allowed = [d for d in range(1, len(space.body) + 1) if fits(space.scheme(d))]
    deepest = max(allowed, default=0)
    return sorted({0, deepest, *(d for d in space.depths() if d in allowed)})


def _of_weights(space: Space, ratio: float, depth: int, fits: Fits) -> Mapping[str, Scheme]:
    """Returns the probes of one ratio: of layers whose weights fit with the biases up to them."""
    return {
        node.name: space.scheme(depth, {node.name: ratio})
        for at, node in enumerate(space.body[:depth], start=1)
        if ratio in space.ratios(node) and fits(space.scheme(at, {node.name: ratio}))
    }
