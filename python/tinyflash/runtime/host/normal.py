"""The library's own judgement of what is normal (tinyflash/normal.h)."""

from __future__ import annotations

import numpy as np

from tinyflash.errors import DataError
from tinyflash.runtime.host.library import ffi, lib
from tinyflash.runtime.host.session import HostSession
from tinyflash.runtime.session import Int8Array

MOST_RANKS = 8


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
