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
class GuardMemory:
    """What a guard remembers, so that it can go on in another session with the same weights and
    state.

    waited: training steps since its last evaluation. snapshot: the best weights, then the gain of
    each gradient, as `tiny_guard` keeps them.
    """

    report: GuardReport
    waited: int
    snapshot: bytes


def snapshot_bytes(weights_bytes: int, state_bytes: int) -> int:
    """Returns the size of a snapshot: WEIGHTS, and a gain for each gradient."""
    return weights_bytes + max(0, state_bytes - HEADER_BYTES) // SCALE_BYTES


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
        each = program.input_bytes + LABEL_BYTES
        snapshot = snapshot_bytes(len(program.weights), len(program.state))
        return GuardCost(samples, samples * each, snapshot)

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


def check_snapshot(memory: GuardMemory, weights_bytes: int, state_bytes: int) -> None:
    """Raises DataError if the snapshot is not of a model with these sizes."""
    size = snapshot_bytes(weights_bytes, state_bytes)
    if len(memory.snapshot) != size:
        raise DataError(
            f"the guard's snapshot has {len(memory.snapshot)} bytes; this model's has {size}"
        )
