"""A model on a device, as a Session: bit-equal to the host's session."""

from __future__ import annotations

import zlib
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from tinyflash.errors import DataError, LinkError
from tinyflash.program import Program
from tinyflash.runtime.device import coding, protocol
from tinyflash.runtime.device.guard import RemoteGuard
from tinyflash.runtime.device.link import Link, open_port
from tinyflash.runtime.device.pairing import TAG_BYTES
from tinyflash.runtime.device.protocol import FRAME_OVERHEAD, Info, Purpose, Space, Type
from tinyflash.runtime.device.rows import Rows
from tinyflash.runtime.guard import (
    GuardMemory,
    GuardReport,
    check_judged,
    check_settings,
    check_snapshot,
    snapshot_bytes,
)
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


class Emulated(Protocol):
    """The part of a running emulator, boards.Emulator, that a session needs.

    url: of its serial line. counted: its clock counts instructions, so it is slow.
    """

    url: str
    counted: bool

    def why_dead(self) -> str | None:
        """Returns what ended it; None while it runs."""


class DeviceSession:
    """A model on a board. A context manager; close() ends the link, not the model.

    target: a running emulator, the name of a serial port, a pyserial URL, or a Link. program: what
    the board must run, or only its hash; None accepts any. pairing_key: 16 bytes, if the board's
    firmware was built with them. last_ticks: ticks of the board's clock for the last inference or
    training step.
    """

    def __init__(
        self,
        target: Emulated | str | Link,
        program: Program | int | None = None,
        pairing_key: bytes | None = None,
    ) -> None:
        self._link = _link(target)
        counted = not isinstance(target, str | Link) and target.counted
        self._run_s = _COUNTED_RUN_S if counted else _RUN_S
        try:
            self.info: Info = protocol.parse_info(self._link.open_session(_START_S))
            _check_model(self.info, program)
            _check_pairing(self.info, pairing_key)
            if pairing_key is not None:
                self._link.pair(pairing_key)
        except BaseException:
            self.close()
            raise
        self._guard = RemoteGuard(self._link, self._run_s)
        self.last_ticks = 0

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
        here = min(self.info.output_bytes, self._room(1 + protocol.TICKS.size))
        reply = self._run(x, Purpose.INFER, Type.INFER, protocol.TICKS.size + here)
        (self.last_ticks,) = protocol.TICKS.unpack_from(reply)
        output = reply[protocol.TICKS.size :]
        output += self._read(Space.OUTPUT, here, self.info.output_bytes)
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
        self._send_sample(target, Purpose.TARGET)
        return self._train(x, body)

    def _train(self, x: Int8Array, body: bytes) -> Outcome:
        reply = self._run(x, Purpose.TRAIN, Type.TRAIN, protocol.TRAIN_REPLY.size, body)
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
        self._order(Type.SCHEDULE, protocol.SCHEDULE.pack(*factors, *numbers))

    def start_guard(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> GuardReport:
        self._send_held_out(x, y, every, tolerance)
        return self._guard.begin(every, tolerance)

    def guard_snapshot(self) -> bytes:
        size = snapshot_bytes(self.info.weights_bytes, self.info.state_bytes)
        return self._read(Space.SNAPSHOT, 0, size)

    def resume_guard(
        self, x: Int8Array, y: Labels, every: int, tolerance: int, memory: GuardMemory
    ) -> None:
        check_snapshot(memory, self.info.weights_bytes, self.info.state_bytes)
        self._send_held_out(x, y, every, tolerance)
        self._write(Space.SNAPSHOT, memory.snapshot)
        self._guard.resume(every, tolerance, memory)

    def _send_held_out(self, x: Int8Array, y: Labels, every: int, tolerance: int) -> None:
        check_judged(self.info.target_bytes)
        check_settings(len(x), len(y), every, tolerance)
        for label in y.tolist():
            check_label(label, self.info.classes)
        self._guard.clear(len(x))
        for sample, label in zip(x, y.tolist(), strict=True):
            self._send_sample(sample, Purpose.HELD_OUT)
            self._guard.hold(label)

    def guard_report(self) -> GuardReport:
        return self._guard.report()

    def finish_guard(self) -> GuardReport:
        return self._guard.finish()

    def counters(self) -> Counters:
        return Counters.of(self.state)

    def reset(self) -> None:
        self._order(Type.RESET)

    @property
    def weights(self) -> bytes:
        return self._read(Space.WEIGHTS, 0, self.info.weights_bytes)

    @weights.setter
    def weights(self, data: bytes) -> None:
        self.restore(weights=data)

    @property
    def state(self) -> bytes:
        return self._read(Space.STATE, 0, self.info.state_bytes)

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
        self._order(Type.RESTORE, protocol.RESTORE.pack(self.info.hash, spaces))
        for space, data in parts.items():
            self._write(space, data)
        crc = zlib.crc32(b"".join(parts.values()))
        self._order(Type.COMMIT, protocol.COMMIT.pack(crc))

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

    # ---- In pieces ----

    def _order(self, kind: Type, body: bytes = b"") -> None:
        """Sends a command whose reply is only its status."""
        self._link.command(kind, body, size=0)

    def _run(
        self, x: Int8Array, purpose: Purpose, kind: Type, size: int, body: bytes = b""
    ) -> bytes:
        """Runs INFER or TRAIN, whose reply has `size` bytes. Sends the sample before, or row by row
        when the device asks."""
        if not self.info.row_bytes:
            self._send_sample(x, purpose)
            return self._link.command(kind, body, self._run_s, size=size)
        rows = Rows(self._checked(x, purpose), x.shape, self._room_to(protocol.ROWS_HEAD.size))
        return self._link.command(kind, body, self._run_s, rows.serve, size)

    def _device_counters(self) -> tuple[int, ...]:
        size = protocol.COUNTERS_REPLY.size
        return protocol.COUNTERS_REPLY.unpack(self._link.command(Type.COUNTERS, size=size))

    def _room(self, head: int) -> int:
        """Returns the bytes of data that a frame can hold after `head` bytes."""
        return self.info.frame_bytes - FRAME_OVERHEAD - head

    def _room_to(self, head: int) -> int:
        """The same of a frame that the host sends, which may need a tag."""
        return self._room(head + (TAG_BYTES if self.info.paired else 0))

    def _checked(self, x: Int8Array, purpose: Purpose) -> coding.Bytes:
        """Returns the bytes of a sample or a target. Raises DataError if they do not fit the
        device."""
        is_target = purpose is Purpose.TARGET
        size = self.info.target_bytes if is_target else self.info.input_bytes
        if x.dtype != np.int8 or x.size != size:
            what = "target" if is_target else "sample"
            raise DataError(f"a {what} of {x.size} {x.dtype}; the device takes {size} int8")
        return np.ascontiguousarray(x).reshape(-1).view(np.uint8)

    def _send_sample(self, x: Int8Array, purpose: Purpose) -> None:
        sample = self._checked(x, purpose)
        room = self._room_to(protocol.SAMPLE_HEAD.size)
        for chunk in coding.chunks(sample, x.shape, room):
            head = (purpose, chunk.group, chunk.stride, chunk.offset, chunk.count)
            self._order(Type.SAMPLE, protocol.SAMPLE_HEAD.pack(*head) + chunk.data)

    def _read(self, space: Space, start: int, end: int) -> bytes:
        room = self._room(1)  # after the status
        pieces = []
        for offset in range(start, end, room):
            count = min(room, end - offset)
            body = protocol.READ.pack(space, offset, count)
            pieces.append(self._link.command(Type.READ, body, size=count))
        return b"".join(pieces)

    def _write(self, space: Space, data: bytes) -> None:
        room = self._room_to(protocol.WRITE_HEAD.size)
        for offset in range(0, len(data), room):
            head = protocol.WRITE_HEAD.pack(space, offset)
            self._order(Type.WRITE, head + data[offset : offset + room])


def _train_body(label: int, rate: float | None) -> bytes:
    if rate is None:
        return protocol.TRAIN_SCHEDULED.pack(label)
    as_factor = rate_factor(rate)
    return protocol.TRAIN.pack(label, as_factor.mantissa, as_factor.exponent)


def _link(target: Emulated | str | Link) -> Link:
    if isinstance(target, Link):
        return target
    if isinstance(target, str):
        return Link(open_port(target))
    return Link(open_port(target.url), target.why_dead)


def _check_pairing(info: Info, key: bytes | None) -> None:
    if info.paired and key is None:
        raise LinkError(
            f"board {info.board} takes commands only from hosts with its pairing key; pass the "
            "file with --pairing-key"
        )
    if key is not None and not info.paired:
        raise LinkError(
            f"the firmware of board {info.board} has no pairing key; build it with --pairing-key, "
            "or leave out this option"
        )


def _check_model(info: Info, program: Program | int | None) -> None:
    wanted = program.hash if isinstance(program, Program) else program
    if wanted is not None and info.hash != wanted:
        raise LinkError(
            f"the device runs {info.model!r} with hash {info.hash:08x}, not the program with hash "
            f"{wanted:08x}; build and flash it again"
        )
    for name, size in _sizes(program).items() if isinstance(program, Program) else ():
        if getattr(info, name) != size:
            raise LinkError(
                f"the device reports {name} of {getattr(info, name):,}, its program has {size:,}; "
                "build and flash it again"
            )


def _sizes(program: Program) -> dict[str, int]:
    """Returns what INFO says of a program besides its hash. Not the arena: the memory plan may
    differ, as for the hash, because a board's kernels can need scratch that the host's do not.
    """
    same = ("input_bytes", "output_bytes", "classes", "target_bytes", "row_bytes")
    return {
        "weights_bytes": len(program.weights),
        "state_bytes": len(program.state),
        **{name: getattr(program, name) for name in same},
    }
