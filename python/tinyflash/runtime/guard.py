"""The guard as its sessions report it (SPEC 9), and what it costs a device."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.errors import DataError
from tinyflash.program import Program
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES

LABEL_BYTES = 2
LONGEST = 2**32 - 1  # of an interval, and of a tolerance


@dataclass(frozen=True, order=True)
class Score:
    """Of held-out samples: how many are right, and the summed lead of the right class's score."""

    correct: int
    margin: int


@dataclass(frozen=True)
class GuardReport:
    """What a guard has seen and done since it was started."""

    samples: int
    evaluations: int
    rollbacks: int
    last: Score
    best: Score


@dataclass(frozen=True)
class GuardCost:
    """Bytes of SRAM that a guard takes: samples with their labels, a copy of the best weights.

    An evaluation takes as many inferences as there are samples.
    """

    samples: int
    sample_bytes: int
    snapshot_bytes: int

    @staticmethod
    def of(program: Program, samples: int) -> GuardCost:
        scales = max(0, len(program.state) - HEADER_BYTES) // SCALE_BYTES
        each = program.input_bytes + LABEL_BYTES
        return GuardCost(samples, samples * each, len(program.weights) + scales)

    @property
    def total(self) -> int:
        return self.sample_bytes + self.snapshot_bytes


def check_judged(target_bytes: int) -> None:
    """Raises for a model that learns from targets: a guard judges by labels."""
    if target_bytes:
        raise DataError(
            "a guard judges held-out samples by their labels, and the model learns from targets; "
            "train it without a guard"
        )


def check_settings(samples: int, labels: int, every: int, tolerance: int) -> None:
    """Raises for what no guard can work with."""
    if samples == 0 or samples != labels:
        raise DataError(
            f"a guard was given {samples} samples and {labels} labels; it needs one for each, "
            "and at least one"
        )
    if not 1 <= every <= LONGEST:
        raise DataError(f"a guard that evaluates every {every} steps; give at least 1")
    if not 0 <= tolerance <= LONGEST:
        raise DataError(f"a guard's tolerance is {tolerance} samples; it must be 0 or more")
