"""How much a search does in its minutes. No clock decides it, so that the same options and seed do
the same work on every computer, and find the same network.

The minutes are those of two cores of a slow computer (trial.seconds); a faster one is done sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyflash.search.designs.design import Design, Space
from tinyflash.search.designs.layers import Network
from tinyflash.search.designs.trial import seconds
from tinyflash.search.probes import PROBE_SHARE

_CORES = 2
_PLANNING = 0.15  # of all time
_HALVING = 0.5
_FINAL = 0.35  # on one core
_SLOWER = 10  # times, that a computer may be than expected
_PLAN_SECONDS = 0.5  # of one network
_DRAWS = (2, 40)  # networks of a space
_STEPS = (1, 2, 4, 8)  # from a space to the next; what 9 widths have no divisor with
_POPULATION = (8, 48)
_STEP = 4
# The longest rounds that leave time for more networks than these: after few samples, which network
# is better is noise.
_LONGER = ((3, 16), (2, 16), (1, _POPULATION[0]))
_EPOCHS, _LEAST, _MOST = 40, 30_000, 1_500_000  # of the final training; samples
_CHOOSING = 0.1  # of all time, besides: to choose what is trained on the board
_STEP_SECONDS, _STEP_MACS = 3e-4, 4e9  # of a step in int8, and multiply-adds in a second
_COMPILED_SECONDS = 0.5  # of one scheme
_TRAININGS = 6  # of a scheme: rates and seeds
_FINALISTS = 12  # schemes
_PROBED = 4  # schemes of a layer
_PROBE_EPOCHS = 5  # the fewest that probes are worth
_MOST_EPOCHS = 10
FACTOR = 3  # from a round's samples to the next one's
ROUNDS = 3


@dataclass(frozen=True)
class Effort:
    """minutes: of the whole search."""

    minutes: float

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def draws(self, spaces: int) -> int:
        """Returns how many networks of each space are planned, if so many spaces are."""
        return int(min(max(self._plans / spaces, _DRAWS[0]), _DRAWS[1]))

    def surveyed(self, every: Sequence[Space]) -> tuple[Space, ...]:
        """Returns the spaces that there is time to plan networks of: all, or every other one, and
        so on."""
        needed = _DRAWS[0] * len(every) / max(self._plans, 1e-6)
        return tuple(every[:: next((step for step in _STEPS if step >= needed), _STEPS[-1])])

    @property
    def _plans(self) -> float:
        return self.seconds * _PLANNING * _CORES / _PLAN_SECONDS

    @property
    def halving_seconds(self) -> float:
        """The seconds of one core for all short trainings."""
        return self.seconds * _HALVING * _CORES

    @property
    def latest_seconds(self) -> float:
        """The seconds after which no short training begins any more, of a slow computer."""
        return self.seconds * _HALVING * _SLOWER

    def final_samples(self, design: Design, there: int) -> int:
        """Returns the samples of the final training. there: training samples."""
        possible = self.seconds * _FINAL / seconds(design, 1)
        return int(max(min(possible, full_samples(there)), 1))

    def choosing(self, design: Network, samples: int) -> Choosing:
        """Returns how schemes are compared that learn from so many samples: probes are trained for
        some of the epochs (PROBE_SHARE)."""
        layers = sum(layer.has_weights for layer in design.layers)
        probed = _PROBED * layers
        epoch = _TRAININGS * samples * (_STEP_SECONDS + design.macs / _STEP_MACS)
        possible = self.seconds * _CHOOSING * _CORES - _FINALISTS * _COMPILED_SECONDS
        with_probes = (possible - probed * _COMPILED_SECONDS) / max(epoch, 1e-6)
        epochs = with_probes / (_FINALISTS + PROBE_SHARE * probed)
        if epochs >= _PROBE_EPOCHS:
            return Choosing(int(min(epochs, _MOST_EPOCHS)), True)
        alone = possible / max(epoch, 1e-6) / _FINALISTS
        return Choosing(int(min(max(alone, 1), _MOST_EPOCHS)), False)

    def halving(self, drawn: Sequence[Design], there: int) -> Halving:
        """Returns the rounds of a search among networks like these."""
        one = sum(seconds(design, 1) for design in drawn) / len(drawn)
        wanted = full_samples(there) // FACTOR**ROUNDS
        possible = self.halving_seconds / one  # samples
        for times, fewest in _LONGER:
            for population in range(_POPULATION[1], fewest, -_STEP):
                plan = Halving(population, times * wanted)
                if plan.all_samples <= possible:
                    return plan
        least = Halving(_POPULATION[0], 1)
        return Halving(_POPULATION[0], int(max(1, min(wanted, possible / least.all_samples))))


@dataclass(frozen=True)
class Choosing:
    """How what is trained on the board is chosen: epochs of each training, and whether probes
    propose, too."""

    epochs: int
    probes: bool


@dataclass(frozen=True)
class Halving:
    """The first round: how many networks, and the samples that each is trained with."""

    population: int
    samples: int

    def samples_in(self, round_: int) -> int:
        return int(self.samples * FACTOR**round_)

    @property
    def children(self) -> int:
        return self.population // 2

    def survivors(self, round_: int) -> int:
        """Returns how many go on to a round from the one before it."""
        return int(max(2, self.population // 2 ** (round_ + 1)))

    @property
    def counts(self) -> tuple[int, ...]:
        """The networks that are trained in each round."""
        later = (self.survivors(number) for number in range(1, ROUNDS))
        return (self.population + self.children, *later)

    @property
    def all_samples(self) -> int:
        """The samples of all rounds together."""
        return sum(n * self.samples_in(number) for number, n in enumerate(self.counts))


def full_samples(there: int) -> int:
    """Returns the samples after which more of them help little."""
    return min(max(_EPOCHS * there, _LEAST), _MOST)
