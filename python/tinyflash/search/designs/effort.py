"""How much a search does in its minutes. No clock decides it, so that the same options and seed do
the same work on every computer, and find the same network.

The minutes are those of two cores of a slow computer (trial.seconds); a faster one is done sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyflash.search.designs.design import Design
from tinyflash.search.designs.trial import seconds

_CORES = 2
_PLANNING = 0.15  # of all time
_HALVING = 0.5
_FINAL = 0.35  # on one core
_SLOWER = 10  # times, that a computer may be than expected
_PLAN_SECONDS = 0.5  # of one network
_DRAWS = (4, 40)  # networks of a space
_POPULATION = (8, 48)
_STEP = 4
_EPOCHS, _LEAST, _MOST = 40, 30_000, 1_500_000  # of the final training; samples
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
        """Returns how many networks of each space are planned."""
        possible = self.seconds * _PLANNING * _CORES / _PLAN_SECONDS / spaces
        return int(min(max(possible, _DRAWS[0]), _DRAWS[1]))

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

    def halving(self, drawn: Sequence[Design], there: int) -> Halving:
        """Returns the rounds of a search among networks like these."""
        one = sum(seconds(design, 1) for design in drawn) / len(drawn)
        wanted = full_samples(there) // FACTOR**ROUNDS
        possible = self.halving_seconds / one  # samples
        for population in range(_POPULATION[1], _POPULATION[0], -_STEP):
            plan = Halving(population, wanted)
            if plan.all_samples <= possible:
                return plan
        least = Halving(_POPULATION[0], 1)
        return Halving(_POPULATION[0], int(max(1, min(wanted, possible / least.all_samples))))


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
