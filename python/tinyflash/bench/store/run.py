"""What `tinyflash bench store` tries, on which flashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tinyflash.bench.store.cuts import (
    Counts,
    Listen,
    Trial,
    cut_everywhere,
    priors,
    random_sequences,
    stick_everywhere,
)
from tinyflash.runtime.host.store import WORD

# Flash that programs words (STM32F4), with two and three slots; and 32 bytes at a time (STM32H7).
TRIALS = (Trial(2, 4), Trial(3, 4), Trial(2, 32, sector_bytes=256, weights_bytes=100))


@dataclass(frozen=True)
class Part:
    """One kind of trial. steps: of its progress."""

    what: str
    steps: int
    run: Callable[[Listen], Counts]


def parts(trial: Trial, sequences: int, seed: int) -> tuple[Part, ...]:
    """Returns what is tried on a flash."""
    words, states = trial.geometry.size // WORD, list(priors(trial))
    return (
        Part("cut everywhere", len(states), partial(cut_everywhere, trial, states)),
        Part("a stuck bit", words, partial(stick_everywhere, trial)),
        Part("random", sequences, partial(random_sequences, trial, sequences, seed)),
    )
