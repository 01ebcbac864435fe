"""The contract of a session: the same on the host and on a device."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError, InternalError
from tinyflash.factor import factor
from tinyflash.program import Factor
from tinyflash.runtime.guard import GuardMemory, GuardReport
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.state import unpack

Int8Array = npt.NDArray[np.int8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """The result of one training step: the forward pass before the update."""

    predicted: int
    probability: float  # of the label, in [0, 1]
    error: int = 0  # for losses with a target, which have no label: SPEC 4.8


@dataclass(frozen=True)
class Counters:
    """The health of a training run: SPEC 4.3, 5, 6.4."""

    step: int
    weights_saturated: int
    updates_skipped: int
    exponents: tuple[int, ...]
    gradients_saturated: tuple[int, ...]

    @staticmethod
    def of(state: bytes) -> Counters:
        """Reads the counters from the bytes of STATE."""
        header, scales = unpack(state)
        return Counters(
            step=header.step,
            weights_saturated=header.weights_saturated,
            updates_skipped=header.updates_skipped,
            exponents=tuple(s.exponent for s in scales),
            gradients_saturated=tuple(s.saturated for s in scales),
        )


def check_learns_from(classes: int, target_bytes: int, *, target: bool) -> None:
    """Raises DataError for a label if the model learns from targets, for a target if it learns from
    labels, and for both if it cannot learn."""
    if not classes and not target_bytes:
        raise DataError("the model is compiled for inference only; compile it with a scheme")
    if target and not target_bytes:
        raise DataError("the model learns from labels; train it with labels, or use another loss")
    if not target and target_bytes:
        raise DataError(
            f"the model learns from targets of {target_bytes} elements; train it with targets"
        )


def check_label(label: int, classes: int) -> None:
    """Raises DataError if `label` is not a whole number below `classes`."""
    try:
        known = 0 <= operator.index(label) < classes
    except TypeError:
        raise DataError(f"label {label!r:.60} is not a whole number") from None
    if not known:
        raise DataError(f"label {label} is not one of the {classes} classes")


def rate_factor(rate: float) -> Factor:
    """Returns a learning rate as the library's factor (SPEC 1.4). Raises DataError if it has
    none."""
    if not math.isfinite(rate) or rate < 0:
        raise DataError(f"learning rate {rate} is not a number >= 0")
    try:
        return factor(rate)
    except InternalError as error:
        raise DataError(f"learning rate: {error}") from None


class Session(Protocol):
    """A model bound to memory: `HostSession` and `DeviceSession` are bit-equal.

    x is a sample in stored integers, any shape, `input_bytes` elements.
    """

    def infer(self, x: Int8Array) -> Int8Array:
        """Returns the stored output, flat."""

    def train_step(self, x: Int8Array, label: int, rate: float | None = None) -> Outcome:
        """Runs one step of gradient descent on one sample, in place. rate None: the schedule's
        rate."""

    def train_on_target(
        self, x: Int8Array, target: Int8Array, rate: float | None = None
    ) -> Outcome:
        """The same for a model that learns from targets with `target_bytes` stored elements."""

    def set_schedule(self, schedule: Schedule, done: int = 0) -> None:
        """Uses the rates of a schedule from now on. done: the steps already taken. The schedule
        follows the training step counter, so a restored state continues at its old position."""

    def start_guard(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> GuardReport:
        """Evaluates held-out samples now and after every `every` training steps, keeps the best
        weights, and restores them if more than `tolerance` samples are lost (SPEC 9). Not for a
        model that learns from targets."""

    def guard_report(self) -> GuardReport:
        """Returns the guard's report so far."""

    def guard_snapshot(self) -> bytes:
        """Returns the running guard's copy of the best weights (GuardMemory.snapshot)."""

    def resume_guard(
        self, x: Int8Array, y: Labels, every: int, tolerance: int, memory: GuardMemory
    ) -> None:
        """Lets a guard go on where it stopped, in place of `start_guard`. Weights and state must be
        those of that moment: restore them first, since replacing them ends a guard."""

    def finish_guard(self) -> GuardReport:
        """Evaluates, restores the best weights, and ends the guard."""

    def start_replay(self, memory: bytes, slots: int, repeats: int) -> None:
        """Keeps samples from now on, and trains on `repeats` of them after each new one (SPEC 12).
        memory: of a buffer of `slots` samples per class; `empty` or `filled` in runtime/replay.py
        and runtime/host/replay.py make one, `replay_memory` returns one that goes on. Not for a
        model that learns from targets, or that reads its input by rows."""

    def replay_memory(self) -> bytes:
        """Returns the memory of the buffer in use."""

    def stop_replay(self) -> None:
        """Keeps and replays nothing from now on."""

    def counters(self) -> Counters:
        """Returns the counters since the start."""

    def reset(self) -> None:
        """Restores the compiled weights and state."""

    @property
    def weights(self) -> bytes:
        """The WEIGHTS space; assign to restore it."""

    @weights.setter
    def weights(self, data: bytes) -> None: ...

    @property
    def state(self) -> bytes:
        """The STATE space; assign to restore it."""

    @state.setter
    def state(self, data: bytes) -> None: ...
