"""The guard of a device, over its link (PROTOCOL.md, "Guard")."""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

from tinyflash.errors import LinkError
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.guard import GuardMemory, GuardReport, Score

_ACTION = struct.Struct("<B")
_HOLD = struct.Struct("<BI")  # action, label
_BEGIN = struct.Struct("<BII")  # action, interval, tolerance
_RESUME = struct.Struct("<BIIIIIIiIiI")  # action, then GuardMemory, and a CRC-32 of its snapshot
_REPLY = struct.Struct("<IIIIIiIi")


class Action(IntEnum):
    """The actions of GUARD."""

    TELL = 0
    CLEAR = 1
    HOLD = 2
    BEGIN = 3
    FINISH = 4
    RESUME = 5


class Reply(NamedTuple):
    """The reply to every action: room for samples, samples, evaluations, roll-backs, scores."""

    room: int
    samples: int
    evaluations: int
    rollbacks: int
    last_correct: int
    last_margin: int
    best_correct: int
    best_margin: int

    @property
    def report(self) -> GuardReport:
        last = Score(self.last_correct, self.last_margin)
        best = Score(self.best_correct, self.best_margin)
        return GuardReport(self.samples, self.evaluations, self.rollbacks, last, best)


class RemoteGuard:
    """Sends GUARD commands. timeout: seconds that an evaluation may take."""

    def __init__(self, link: Link, timeout: float) -> None:
        self._link, self._timeout = link, timeout

    def clear(self, samples: int) -> None:
        """Drops all samples. Raises LinkError if there is no room for `samples` new ones."""
        room = self._ask(_ACTION.pack(Action.CLEAR)).room
        if samples > room:
            raise LinkError(
                f"the device has room for {room} held-out samples, not {samples}; "
                f"build its firmware with --guard {samples}"
            )

    def hold(self, label: int) -> None:
        """Keeps the last sent sample as a held-out sample."""
        self._ask(_HOLD.pack(Action.HOLD, label))

    def begin(self, every: int, tolerance: int) -> GuardReport:
        return self._ask(_BEGIN.pack(Action.BEGIN, every, tolerance)).report

    def report(self) -> GuardReport:
        return self._ask(_ACTION.pack(Action.TELL)).report

    def resume(self, every: int, tolerance: int, memory: GuardMemory) -> None:
        """Goes on with the snapshot that has been written to its space."""
        report, crc = memory.report, zlib.crc32(memory.snapshot)
        counts = (every, tolerance, memory.waited, report.evaluations, report.rollbacks)
        scores = (report.last.correct, report.last.margin, report.best.correct, report.best.margin)
        self._ask(_RESUME.pack(Action.RESUME, *counts, *scores, crc))

    def finish(self) -> GuardReport:
        return self._ask(_ACTION.pack(Action.FINISH)).report

    def _ask(self, body: bytes) -> Reply:
        raw = self._link.command(Type.GUARD, body, timeout=self._timeout, size=_REPLY.size)
        reply = Reply(*_REPLY.unpack(raw))
        if not max(reply.last_correct, reply.best_correct) <= reply.samples <= reply.room:
            raise LinkError(
                f"the device's guard has {reply.last_correct} and {reply.best_correct} of "
                f"{reply.samples} samples correct, with room for {reply.room}; rebuild and flash "
                "its firmware"
            )
        return reply
