"""The library's guard on the host, with its own memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.runtime.guard import GuardMemory, GuardReport, Score
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.session import Int8Array


class NativeGuard:
    """Owns a `tiny_guard` for a `tiny_session`; it runs after `begin` or `resume`, which return the
    library's error; 0: success."""

    def __init__(
        self, session: Any, x: Int8Array, y: npt.NDArray[np.uint16], every: int, tolerance: int
    ) -> None:
        self._session = session
        size = lib.tiny_guard_bytes(session.model)
        self._alive = [
            ffi.new("uint8_t[]", np.ascontiguousarray(x).tobytes()),
            ffi.new("uint16_t[]", y.tolist()),
            ffi.new("uint8_t[]", size),
        ]
        samples, labels, snapshot = self._alive
        self._guard = ffi.new("tiny_guard *")
        self._guard.held_out = {"samples": samples, "labels": labels, "count": len(y)}
        self._guard.snapshot, self._guard.snapshot_bytes = snapshot, size
        self._guard.interval, self._guard.tolerance = every, tolerance

    def begin(self) -> int:
        return int(lib.tiny_guard_begin(self._guard, self._session))

    def resume(self, memory: GuardMemory) -> int:
        guard, report = self._guard, memory.report
        ffi.memmove(guard.snapshot, memory.snapshot, guard.snapshot_bytes)
        guard.evaluations, guard.rollbacks = report.evaluations, report.rollbacks
        guard.waited = memory.waited
        for score, of in ((guard.last, report.last), (guard.best, report.best)):
            score.correct, score.margin = of.correct, of.margin
        return int(lib.tiny_guard_resume(guard, self._session))

    @property
    def snapshot(self) -> bytes:
        return bytes(ffi.buffer(self._guard.snapshot, self._guard.snapshot_bytes))

    def watch(self) -> None:
        """Call this after each training step."""
        lib.tiny_guard_watch(self._guard, self._session)

    def finish(self) -> None:
        lib.tiny_guard_finish(self._guard, self._session)

    def report(self) -> GuardReport:
        guard = self._guard
        return GuardReport(
            samples=guard.held_out.count,
            evaluations=guard.evaluations,
            rollbacks=guard.rollbacks,
            last=Score(guard.last.correct, guard.last.margin),
            best=Score(guard.best.correct, guard.best.margin),
        )
