"""Reports of the guard (SPEC 9), and its memory cost on a device."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.errors import DataError
from tinyflash.program import Program
from tinyflash.runtime.state import HEADER_BYTES, SCALE_BYTES

LABEL_BYTES = 2
LONGEST = 2**32 - 1  # largest interval and tolerance


@dataclass(frozen=True, order=True)
class Score:
    """The score of held-out samples: how many are correct, and the sum of the correct class's
    leads."""

    correct: int
    margin: int


@dataclass(frozen=True)
class GuardReport:
    """The results and actions of a guard since its start."""

    samples: int
    evaluations: int
    rollbacks: int
    last: Score
    best: Score


@dataclass(frozen=True)
class GuardCost:
    """The bytes of SRAM that a guard takes: samples with labels, and a copy of the best weights.

    An evaluation runs one inference per sample.
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
    """Raises DataError if the model learns from targets: a guard evaluates with labels."""
    if target_bytes:
        raise DataError(
            "a guard evaluates held-out samples by labels, but the model learns from targets; "
            "train it without a guard"
        )


def check_settings(samples: int, labels: int, every: int, tolerance: int) -> None:
    """Raises DataError if the settings are out of range."""
    if samples == 0 or samples != labels:
        raise DataError(
            f"the guard has {samples} samples and {labels} labels; it needs one label per sample, "
            "and at least one sample"
        )
    if not 1 <= every <= LONGEST:
        raise DataError(f"the guard's interval is {every} steps; it must be 1 to {LONGEST:,}")
    if not 0 <= tolerance <= LONGEST:
        raise DataError(
            f"the guard's tolerance is {tolerance} samples; it must be 0 to {LONGEST:,}"
        )
