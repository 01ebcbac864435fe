"""Contribution analysis: what each part of a network gains on this data, if it is trained.

Two kinds of probes (Lin et al. 2022): the biases of the last k layers, over the classifier alone;
and a share of one layer's weights, over all biases. Each is judged by the held-out loss at the best
of a few rates, since a rate that suits one layer can ruin another, and as a mean over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyflash.scheme import Scheme
from tinyflash.search.engine import Trial, Verdict
from tinyflash.search.engine.engine import Engine, OutOfTimeError
from tinyflash.search.space import Space

RATES = (0.01, 0.03, 0.1)  # for what trains the body; the classifier alone likes more
HEAD_RATES = (0.03, 0.1, 0.3)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Judged:
    """A scheme at its best rate: means over seeds."""

    rate: float
    loss: float
    accuracy: float
    losses: tuple[float, ...]


@dataclass
class Judge:
    """Trains schemes at several rates with the first seed, and at the best one with the others."""

    engine: Engine
    epochs: int
    seeds: Sequence[int] = SEEDS

    def of(self, schemes: Sequence[Scheme]) -> dict[Scheme, Judged]:
        """Returns what becomes of each scheme that can be compiled. Raises OutOfTimeError."""
        first = self.seeds[:1]
        grid = {
            scheme: [Trial(scheme, rate, self.epochs, first[0]) for rate in _rates(scheme)]
            for scheme in schemes
        }
        verdicts = self.engine.verdicts([t for trials in grid.values() for t in trials])
        best = {s: min(trials, key=lambda t: verdicts[t].loss) for s, trials in grid.items()}
        rest = {
            s: [Trial(s, trial.rate, self.epochs, seed) for seed in self.seeds[1:]]
            for s, trial in best.items()
            if not verdicts[trial].error
        }
        verdicts |= self.engine.verdicts([t for trials in rest.values() for t in trials])
        return {s: _mean(best[s].rate, [verdicts[t] for t in (best[s], *rest[s])]) for s in rest}


def _rates(scheme: Scheme) -> tuple[float, ...]:
    return RATES if scheme.rules else HEAD_RATES


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


Told = Callable[[str], object]


def probe(space: Space, judge: Judge, told: Told = lambda _: None) -> Gains:
    """Probes depths first, then every layer at ever more ratios; stops when the time is over."""
    gains = Gains()
    try:
        told("biases of the last layers")
        depths = (0, *space.depths())
        found = judge.of([space.scheme(depth) for depth in depths])
        losses = {d: found[s].loss for d in depths if (s := space.scheme(d)) in found}
        gains.biases = {d: losses[0] - loss for d, loss in losses.items() if d}
        reference = losses[max(losses)]
        for ratio in (0.25, 1.0, 0.125, 0.5):
            told(f"{ratio:g} of each layer's weights")
            _probe_weights(space, judge, ratio, max(losses), reference, gains)
    except OutOfTimeError:
        gains.complete = False
        if not gains.biases:
            raise
    return gains


def _probe_weights(
    space: Space, judge: Judge, ratio: float, depth: int, reference: float, gains: Gains
) -> None:
    schemes: Mapping[str, Scheme] = {
        node.name: space.scheme(depth, {node.name: ratio})
        for node in space.body[:depth]
        if ratio in space.ratios(node)
    }
    found = judge.of(list(schemes.values()))
    for name, scheme in schemes.items():
        if scheme in found:
            gains.weights.setdefault(name, {})[ratio] = reference - found[scheme].loss
