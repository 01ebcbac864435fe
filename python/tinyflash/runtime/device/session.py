"""A model on a device, as a Session: bit-equal to the host's session."""

from __future__ import annotations

import zlib
from types import TracebackType
from typing import Self

import numpy as np

from tinyflash.errors import DataError, LinkError
from tinyflash.program import Program
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.greeting import Emulated, check_model, check_pairing, link_to
from tinyflash.runtime.device.guard import RemoteGuard
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.normal import RemoteJudge
from tinyflash.runtime.device.pieces import Pieces
from tinyflash.runtime.device.protocol import Info, Purpose, Space, Type
from tinyflash.runtime.device.rate import HIGHER
from tinyflash.runtime.device.replay import RemoteReplay
from tinyflash.runtime.device.sensor import RemoteSensor
from tinyflash.runtime.guard import (
    GuardMemory,
    GuardReport,
    check_judged,
    check_settings,
    check_snapshot,
    snapshot_bytes,
)
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
from tinyflash.runtime.store import Stored, StoreReport

_START_S = 20.0  # for a device to answer the first HELLO
_RUN_S = 60.0  # for an inference or a training step
_COUNTED_RUN_S = 300.0  # the same, in an emulator that counts its instructions


class DeviceSession:
    """A model on a board. A context manager; close() ends the link, not the model.

    target: a running emulator, the name of a serial port, a pyserial URL, or a Link. program: what
    the board must run, or only its hash; None accepts any. pairing_key: 16 bytes, if the board's
    firmware was built with them. most_baud: the highest rate to try on a serial port; 115,200 is
    the rate of every board after its start. failed_rates: those that the line does not carry.
    last_ticks: ticks of the board's clock for the last inference or training step.
    """

    def __init__(
        self,
        target: Emulated | str | Link,
        program: Program | int | None = None,
        pairing_key: bytes | None = None,
        most_baud: int = HIGHER[0],
    ) -> None:
        self._link = link_to(target)
        counted = not isinstance(target, str | Link) and target.counted
        self._run_s = _COUNTED_RUN_S if counted else _RUN_S
        try:
            self.info: Info = protocol.parse_info(self._link.open_session(_START_S))
            check_model(self.info, program)
            check_pairing(self.info, pairing_key)
            if pairing_key is not None:
                self._link.pair(pairing_key)
            self.failed_rates = self._link.raise_rate(most_baud)
        except BaseException:
            self.close()
            raise
        self._pieces = Pieces(self._link, self.info, self._run_s)
        self._guard = RemoteGuard(self._link, self._run_s)
        self._replay = RemoteReplay(self._link)
        self.last_ticks = 0

    @property
    def baud(self) -> int | None:
        """The rate of the serial line; None: it has none, as a socket."""
        return self._link.rate

    def close(self) -> None:
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- Session ----

    def infer(self, x: Int8Array) -> Int8Array:
        reply = self._pieces.infer(x)
        (self.last_ticks,) = protocol.TICKS.unpack_from(reply)
        output = reply[protocol.TICKS.size :]
        output += self._pieces.read(Space.OUTPUT, len(output), self.info.output_bytes)
        return np.frombuffer(output, np.int8).copy()

    def train_step(self, x: Int8Array, label: int, rate: float | None = None) -> Outcome:
        check_learns_from(self.info.classes, self.info.target_bytes, target=False)
        check_label(label, self.info.classes)
        return self._train(x, _train_body(label, rate))

    def train_on_target(
        self, x: Int8Array, target: Int8Array, rate: float | None = None
    ) -> Outcome:
        check_learns_from(self.info.classes, self.info.target_bytes, target=True)
        body = _train_body(0, rate)
        self._pieces.send_sample(target, Purpose.TARGET)
        return self._train(x, body)

    def _train(self, x: Int8Array, body: bytes) -> Outcome:
        reply = self._pieces.run(x, Purpose.TRAIN, Type.TRAIN, protocol.TRAIN_REPLY.size, body)
        self.last_ticks, predicted, probability, error = protocol.TRAIN_REPLY.unpack(reply)
        if self.info.classes and not (predicted < self.info.classes and probability <= 2**15):
            raise LinkError(
                f"the device predicts class {predicted} of {self.info.classes}, with a probability "
                f"of {probability / 2**15:.3g}; rebuild and flash its firmware"
            )
        return Outcome(predicted, probability / 2**15, error)

    def set_schedule(self, schedule: Schedule, done: int = 0) -> None:
        rate, drop = schedule.highest, schedule.drop
        factors = (rate.mantissa, rate.exponent, drop.mantissa, drop.exponent)
        numbers = (schedule.steps, schedule.warmup, done, schedule.code, schedule.drops)
        self._pieces.order(Type.SCHEDULE, protocol.SCHEDULE.pack(*factors, *numbers))

    def start_guard(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> GuardReport:
        self._send_held_out(x, y, every, tolerance)
        return self._guard.begin(every, tolerance)

    def guard_snapshot(self) -> bytes:
        size = snapshot_bytes(self.info.weights_bytes, self.info.state_bytes)
        return self._pieces.read(Space.SNAPSHOT, 0, size)

    def resume_guard(
        self, x: Int8Array, y: Labels, every: int, tolerance: int, memory: GuardMemory
    ) -> None:
        check_snapshot(memory, self.info.weights_bytes, self.info.state_bytes)
        self._send_held_out(x, y, every, tolerance)
        self._pieces.write(Space.SNAPSHOT, memory.snapshot)
        self._guard.resume(every, tolerance, memory)

    def _send_held_out(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> None:
        check_judged(self.info.target_bytes)
        check_settings(len(x), len(y), every, tolerance)
        for label in y.tolist():
            check_label(label, self.info.classes)
        self._guard.clear(len(x))
        for sample, label in zip(x, y.tolist(), strict=True):
            self._pieces.send_sample(sample, Purpose.HELD_OUT)
            self._guard.hold(label)

    def guard_report(self) -> GuardReport:
        return self._guard.report()

    def finish_guard(self) -> GuardReport:
        return self._guard.finish()

    def start_replay(self, memory: bytes, slots: int, repeats: int) -> None:
        size = replay_bytes(self.info.classes, slots, self.info.input_bytes)
        check_replay(memory, size, repeats)
        self._replay.check_room(slots)
        self._pieces.write(Space.REPLAYED, memory)
        self._replay.start(memory, repeats)

    def replay_memory(self) -> bytes:
        slots = self._replay.slots()
        size = replay_bytes(self.info.classes, slots, self.info.input_bytes)
        return self._pieces.read(Space.REPLAYED, 0, size)

    def stop_replay(self) -> None:
        self._replay.stop()

    def counters(self) -> Counters:
        return Counters.of(self.state)

    def reset(self) -> None:
        self._pieces.order(Type.RESET)

    @property
    def weights(self) -> bytes:
        return self._pieces.read(Space.WEIGHTS, 0, self.info.weights_bytes)

    @weights.setter
    def weights(self, data: bytes) -> None:
        self.restore(weights=data)

    @property
    def state(self) -> bytes:
        return self._pieces.read(Space.STATE, 0, self.info.state_bytes)

    @state.setter
    def state(self, data: bytes) -> None:
        self.restore(state=data)

    # ---- More than a Session ----

    def restore(self, weights: bytes | None = None, state: bytes | None = None) -> None:
        """Writes weights, state or both back, all or nothing: until the device has received every
        byte intact, it refuses to run, even for another host."""
        named = {Space.WEIGHTS: weights, Space.STATE: state}
        parts = {space: data for space, data in named.items() if data is not None}
        sizes = {Space.WEIGHTS: self.info.weights_bytes, Space.STATE: self.info.state_bytes}
        for space, data in parts.items():
            if len(data) != sizes[space]:
                raise DataError(
                    f"{space.name.lower()} of {len(data)} bytes; the device has {sizes[space]}"
                )
        spaces = sum(1 << space for space in parts)
        self._pieces.order(Type.RESTORE, protocol.RESTORE.pack(self.info.hash, spaces))
        for space, data in parts.items():
            self._pieces.write(space, data)
        crc = zlib.crc32(b"".join(parts.values()))
        self._pieces.order(Type.COMMIT, protocol.COMMIT.pack(crc))

    def sensor(self) -> RemoteSensor:
        """Returns the board's sensor. Raises LinkError if its firmware does not collect, or if it
        has none."""
        return RemoteSensor(self._link)

    def judge(self) -> RemoteJudge:
        """Returns what the board says of normal samples (SPEC 13). Raises LinkError if its firmware
        judges none, DataError if its model has no targets."""
        return RemoteJudge(self._link, self._pieces, self.info)

    def save(self) -> StoreReport:
        """Saves weights and state in the board's flash. They survive a power cut from now on; one
        during this call leaves those of before."""
        return self._store(Type.SAVE)

    def load(self) -> StoreReport:
        """Restores what was saved last, as a start does; without it, the compiled weights."""
        return self._store(Type.LOAD)

    def factory(self) -> StoreReport:
        """Voids and erases what was saved, and restores the compiled weights and state."""
        return self._store(Type.FACTORY)

    def _store(self, kind: Type) -> StoreReport:
        if not self.info.stores:
            raise LinkError(
                f"board {self.info.board} has no flash to save to; describe one in its board.toml, "
                "[store], then build and flash it again"
            )
        reply = self._link.command(kind, b"", self._run_s, size=protocol.STORE_REPLY.size)
        number, stored, slots = protocol.STORE_REPLY.unpack(reply)
        if stored not in list(Stored):
            raise LinkError(f"the device has a record of kind {stored}; rebuild its firmware")
        return StoreReport(number, Stored(stored), slots)

    @property
    def stack_high_water(self) -> int:
        """The deepest stack use of the device since it started, in bytes."""
        return self._device_counters()[2]

    @property
    def frames_damaged(self) -> int:
        """Damaged frames that the device dropped since it started."""
        return self._device_counters()[3]

    @property
    def commands_repeated(self) -> int:
        """Commands that this host has sent again, since their replies did not come."""
        return self._link.repeated

    def _device_counters(self) -> tuple[int, ...]:
        size = protocol.COUNTERS_REPLY.size
        return protocol.COUNTERS_REPLY.unpack(self._link.command(Type.COUNTERS, size=size))


def _train_body(label: int, rate: float | None) -> bytes:
    if rate is None:
        return protocol.TRAIN_SCHEDULED.pack(label)
    as_factor = rate_factor(rate)
    return protocol.TRAIN.pack(label, as_factor.mantissa, as_factor.exponent)
