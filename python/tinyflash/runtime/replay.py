"""The memory of a replay buffer (SPEC 12.1): its size, what it holds, and its cost on a device."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyflash.errors import DataError
from tinyflash.program import Program

MOST_SLOTS = 65535
MOST_REPEATS = 255  # firmware/commands/replay.c
_HEAD = struct.Struct("<II")  # seed, samples replayed


def replay_bytes(classes: int, slots: int, input_bytes: int) -> int:
    """Returns the bytes of the memory of a buffer."""
    head = _HEAD.size + 4 * classes
    return -(-(head + classes * slots * input_bytes) // 4) * 4


def check_can_replay(classes: int, row_bytes: int) -> None:
    """Raises DataError if a model cannot have a buffer."""
    if not classes:
        raise DataError(
            "a replay buffer keeps samples by their labels, but the model learns from targets, or "
            "not at all; train it without --replay"
        )
    if row_bytes:
        raise DataError(
            "a replay buffer keeps whole samples, but the model reads its input by rows; compile "
            "it without --rows"
        )


def check_replay(memory: bytes, size: int, repeats: int) -> None:
    """Raises DataError if the settings are out of range."""
    if len(memory) != size:
        raise DataError(f"the replay buffer's memory has {len(memory):,} bytes; it takes {size:,}")
    if not 1 <= repeats <= MOST_REPEATS:
        raise DataError(
            f"{repeats} kept samples after each new one; it must be 1 to {MOST_REPEATS}"
        )


def empty(program: Program, slots: int, seed: int) -> bytes:
    """Returns the memory of a buffer that has seen nothing. Raises DataError if the model cannot
    have one."""
    return packed(program, slots, seed, {})


def packed(
    program: Program, slots: int, seed: int, chosen: Mapping[int, tuple[int, Sequence[bytes]]]
) -> bytes:
    """Returns the memory of a buffer that has seen so many samples of some classes, and keeps some
    of them: min(seen, slots). Raises DataError if the model cannot have one."""
    check_can_replay(program.classes, program.row_bytes)
    size = replay_bytes(program.classes, slots, program.input_bytes)
    seen = [chosen.get(label, (0, ()))[0] for label in range(program.classes)]
    head = _HEAD.pack(seed, 0) + np.array(seen, "<u4").tobytes()
    room = slots * program.input_bytes
    kept = (b"".join(chosen.get(label, (0, ()))[1]) for label in range(program.classes))
    return (head + b"".join(part.ljust(room, b"\0") for part in kept)).ljust(size, b"\0")


@dataclass(frozen=True)
class Kept:
    """What a buffer holds: samples seen of each class, samples kept of each, samples replayed."""

    seen: tuple[int, ...]
    counts: tuple[int, ...]
    replayed: int

    @staticmethod
    def of(memory: bytes, classes: int, slots: int) -> Kept:
        _, replayed = _HEAD.unpack_from(memory)
        seen = np.frombuffer(memory, "<u4", classes, _HEAD.size).tolist()
        return Kept(tuple(seen), tuple(min(n, slots) for n in seen), replayed)

    @property
    def count(self) -> int:
        """The samples kept."""
        return sum(self.counts)


@dataclass(frozen=True)
class ReplayCost:
    """The bytes of SRAM that a buffer takes: `slots` samples of each class, with a head."""

    slots: int
    total: int

    @staticmethod
    def of(program: Program, slots: int) -> ReplayCost:
        if not slots:
            return ReplayCost(0, 0)
        return ReplayCost(slots, replay_bytes(program.classes, slots, program.input_bytes))
