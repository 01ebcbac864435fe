"""The library's own judgement of what is normal (tinyflash/normal.h)."""

from __future__ import annotations

import numpy as np

from tinyflash.errors import DataError
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.session import HostSession
from tinyflash.runtime.normal import MOST_RANKS, HeldScores, Judged
from tinyflash.runtime.session import Int8Array, check_learns_from


def score_of(output: Int8Array, target: Int8Array) -> int:
    """Returns the sum of squared differences (SPEC 13.1)."""
    x, t = (np.ascontiguousarray(part, np.int8).ravel() for part in (output, target))
    if x.size != t.size:
        raise DataError(f"an output of {x.size} values for a target of {t.size}")
    return int(lib.tiny_normal_score(ffi.from_buffer(x), ffi.from_buffer(t), x.size))


class Held:
    """Scores of normal samples that a network has not learned from."""

    def __init__(self) -> None:
        self._held = ffi.new("tiny_normal *")

    def hold(self, score: int) -> None:
        lib.tiny_normal_hold(self._held, score)

    @property
    def scores(self) -> HeldScores:
        return HeldScores(self.count, tuple(self._held.largest))

    @scores.setter
    def scores(self, held: HeldScores) -> None:
        self._held.count, self._held.largest = held.count, held.largest

    @property
    def count(self) -> int:
        return int(self._held.count)

    @property
    def largest(self) -> list[int]:
        """The largest scores, in descending order."""
        return list(self._held.largest)[: self.count]

    def set(self, rank: int, session: HostSession) -> None:
        """Sets a session's threshold. Raises DataError if the rank is impossible, or the model
        learns from labels."""
        if not lib.tiny_normal_set(self._held, rank, session.native):
            raise DataError(
                f"no threshold of rank {rank} from {self.count:,} scores; the rank is 1 to "
                f"{MOST_RANKS}, and the model must learn towards targets"
            )


def threshold_of(session: HostSession) -> int:
    """Returns the threshold in a session's state; 0: none was set."""
    return int(lib.tiny_normal_threshold(session.native))


def is_abnormal(session: HostSession, score: int) -> bool:
    return bool(lib.tiny_normal_is_abnormal(session.native, score))


class HostJudge:
    """Implements `normal.Judge` on the host."""

    def __init__(self, session: HostSession) -> None:
        program = session.program
        check_learns_from(program.classes, program.target_bytes, target=True)
        self._session, self._held = session, Held()
        self._score = 0
        self._is_new = False  # not held yet

    def score(self, x: Int8Array, target: Int8Array) -> Judged:
        self._score, self._is_new = score_of(self._session.infer(x), target), True
        return self.tell()

    def hold(self) -> Judged:
        if not self._is_new:
            raise DataError("there is no score to hold; score a sample")
        self._held.hold(self._score)
        self._is_new = False
        return self.tell()

    def set(self, rank: int) -> Judged:
        self._held.set(rank, self._session)
        return self.tell()

    def resume(self, held: HeldScores = HeldScores()) -> Judged:  # noqa: B008 (it is frozen)
        self._held.scores = held
        return self.tell()

    def tell(self) -> Judged:
        is_over = self._is_new and is_abnormal(self._session, self._score)
        return Judged(self._score, self._held.count, threshold_of(self._session), is_over)

    @property
    def held(self) -> HeldScores:
        return self._held.scores
