"""Runs a model on the host: the C library through cffi, on the same table as a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyflash.errors import DataError, TinyflashError
from tinyflash.program import Program
from tinyflash.runtime.guard import (
    GuardMemory,
    GuardReport,
    check_judged,
    check_settings,
    check_snapshot,
)
from tinyflash.runtime.host.guard import NativeGuard
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.replay import NativeReplay
from tinyflash.runtime.host.schedule import native
from tinyflash.runtime.host.table import Table
from tinyflash.runtime.replay import check_replay, replay_bytes
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.session import (
    Counters,
    Int8Array,
    Labels,
    Outcome,
    check_label,
    check_learns_from,
    rate_factor,
)


class HostSession:
    """Implements `session.Session` on the host."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._table = Table(program)
        self._session = ffi.new("tiny_session *")
        # int32 elements, so that every space is aligned as the library asks.
        sizes = (len(program.weights), len(program.state), program.arena_bytes)
        self._memory = [ffi.new("int32_t[]", -(-size // 4) + 1) for size in sizes]
        memory = ffi.new("tiny_memory *", [*self._memory, *sizes])
        _check(lib.tiny_init(self._session, self._table.model, memory))
        self._picture = ffi.new("tiny_picture *")  # the sample that the row source reads
        self._picture.row_bytes = program.row_bytes
        if program.row_bytes:
            source = ffi.addressof(lib, "tiny_picture_source")
            lib.tiny_set_source(self._session, source, self._picture)
        self._sample: Int8Array | None = None  # that the picture shows
        self._schedule: Any = None  # a tiny_schedule
        self._first_step = 0  # of the schedule, by the training step counter
        self._guard: NativeGuard | None = None
        self._replay: NativeReplay | None = None

    @property
    def native(self) -> Any:
        """The `tiny_session` itself."""
        return self._session

    def infer(self, x: Int8Array) -> Int8Array:
        self._give(lib.tiny_infer_input(self._session), x)
        y = lib.tiny_infer(self._session)
        return np.frombuffer(ffi.buffer(y, self.program.output_bytes), np.int8).copy()

    def train_step(self, x: Int8Array, label: int, rate: float | None = None) -> Outcome:
        check_learns_from(self.program.classes, self.program.target_bytes, target=False)
        check_label(label, self.program.classes)
        return self._train(x, label, rate)

    def train_on_target(
        self, x: Int8Array, target: Int8Array, rate: float | None = None
    ) -> Outcome:
        check_learns_from(self.program.classes, self.program.target_bytes, target=True)
        size = self.program.target_bytes
        _load(lib.tiny_train_target(self._session), target, size, "target")
        return self._train(x, 0, rate)

    def _train(self, x: Int8Array, label: int, rate: float | None) -> Outcome:
        as_factor = self._scheduled_rate() if rate is None else _factor(rate)
        self._give(lib.tiny_train_input(self._session), x)
        if self._replay is not None:
            _check(lib.tiny_train_begin(self._session, label, as_factor))
            self._replay.keep(label)
        _check(lib.tiny_train(self._session, label, as_factor))
        state = self._state
        outcome = Outcome(state.predicted, state.probability / 32768, state.error)
        if self._replay is not None:
            self._replay.run(as_factor)
        if self._guard is not None:
            self._guard.watch()
        return outcome

    def _give(self, place: Any, x: Int8Array) -> None:
        """Stores the next sample: in memory, or where the row source reads it."""
        if not self.program.row_bytes:
            _load(place, x, self.program.input_bytes)
            return
        _check_size(x, self.program.input_bytes)
        self._sample = np.ascontiguousarray(x).view(np.int8)
        self._picture.rows = ffi.from_buffer("uint8_t[]", self._sample)

    def set_schedule(self, schedule: Schedule, done: int = 0) -> None:
        self._schedule = native(schedule)
        self._first_step = self._state.step - done

    def start_guard(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> GuardReport:
        guard = self._new_guard(x, y, every, tolerance)
        _check(guard.begin())
        self._guard = guard
        return guard.report()

    def _new_guard(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> NativeGuard:
        check_judged(self.program.target_bytes)
        check_settings(len(x), len(y), every, tolerance)
        for sample, label in zip(x, y.tolist(), strict=True):
            check_label(label, self.program.classes)
            _check_size(sample, self.program.input_bytes)
        return NativeGuard(self._session, x, y.astype(np.uint16), every, tolerance)

    def guard_snapshot(self) -> bytes:
        return self._running_guard().snapshot

    def resume_guard(
        self, x: Int8Array, y: Labels, every: int, tolerance: int, memory: GuardMemory
    ) -> None:
        guard = self._new_guard(x, y, every, tolerance)
        check_snapshot(memory, len(self.program.weights), len(self.program.state))
        _check(guard.resume(memory))
        self._guard = guard

    def guard_report(self) -> GuardReport:
        return self._running_guard().report()

    def finish_guard(self) -> GuardReport:
        guard = self._running_guard()
        guard.finish()
        self._guard = None
        return guard.report()

    def start_replay(self, memory: bytes, slots: int, repeats: int) -> None:
        program = self.program
        size = replay_bytes(program.classes, slots, program.input_bytes)
        check_replay(memory, size, repeats)
        replay = NativeReplay(self._session, memory, slots, repeats)
        _check(replay.begin())
        self._replay = replay

    def replay_memory(self) -> bytes:
        if self._replay is None:
            raise DataError("no replay buffer is in use; start one")
        return self._replay.memory

    def stop_replay(self) -> None:
        self._replay = None

    def keep(self, x: Int8Array, label: int) -> None:
        """Offers a sample to the replay buffer in use, as a training step does, without the
        step."""
        check_label(label, self.program.classes)
        if self._replay is None:
            raise DataError("no replay buffer is in use; start one")
        self._give(lib.tiny_train_input(self._session), x)
        self._replay.keep(label)

    def counters(self) -> Counters:
        return Counters.of(self.state)

    def reset(self) -> None:
        lib.tiny_reset(self._session)
        self._schedule = self._guard = self._replay = None

    @property
    def weights(self) -> bytes:
        return bytes(self._space(0, len(self.program.weights)))

    @weights.setter
    def weights(self, data: bytes) -> None:
        self._restore(0, len(self.program.weights), data, "weights")

    @property
    def state(self) -> bytes:
        return bytes(self._space(1, len(self.program.state)))

    @state.setter
    def state(self, data: bytes) -> None:
        self._restore(1, len(self.program.state), data, "state")

    @property
    def _state(self) -> Any:
        return lib.tiny_session_state(self._session)

    def _scheduled_rate(self) -> Any:
        if self._schedule is None:
            raise DataError("there is no learning rate; give one, or set a schedule")
        step = (self._state.step - self._first_step) % 2**32
        return lib.tiny_schedule_rate(self._schedule, step)

    def _running_guard(self) -> NativeGuard:
        if self._guard is None:
            raise DataError("no guard is running; start one")
        return self._guard

    def _space(self, index: int, size: int) -> Any:
        return ffi.buffer(self._memory[index], size)

    def _restore(self, index: int, size: int, data: bytes, what: str) -> None:
        if len(data) != size:
            raise DataError(f"{what}: {len(data)} bytes given, this model has {size}")
        self._space(index, size)[:] = data
        self._guard = None  # its best weights are void


def _load(to: Any, x: Int8Array, size: int, what: str = "sample") -> None:
    _check_size(x, size, what)
    ffi.memmove(to, np.ascontiguousarray(x), size)


def _check_size(x: Int8Array, size: int, what: str = "sample") -> None:
    if x.dtype.itemsize != 1 or x.size != size:
        raise DataError(
            f"a {what} has {x.size} elements of {x.dtype}; the model reads {size} of int8"
        )


def _factor(rate: float) -> list[int]:
    as_factor = rate_factor(rate)
    return [as_factor.mantissa, as_factor.exponent]


def _check(error: int) -> None:
    if error:
        raise TinyflashError(ffi.string(lib.tiny_error_text(error)).decode())
