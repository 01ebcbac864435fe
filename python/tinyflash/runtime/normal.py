"""The contract of a judge of what is normal (SPEC 13): the same on the host and on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tinyflash.errors import DataError
from tinyflash.runtime.session import Int8Array

MOST_RANKS = 8  # TINY_NORMAL_LARGEST


@dataclass(frozen=True)
class Judged:
    """score: of the newest sample. held: scores so far. threshold: 0: none was set. abnormal: of
    the newest sample, by that threshold."""

    score: int
    held: int
    threshold: int
    abnormal: bool


@dataclass(frozen=True)
class HeldScores:
    """What a judge remembers, besides the threshold, which is in STATE. largest: of `count` scores,
    in descending order, zeros behind them."""

    count: int = 0
    largest: tuple[int, ...] = (0,) * MOST_RANKS


class Judge(Protocol):
    """Scores the samples of a session, and holds a threshold against them."""

    def score(self, x: Int8Array, target: Int8Array) -> Judged:
        """Infers a sample, and scores its output against the target."""

    def hold(self) -> Judged:
        """Holds the newest sample's score, once. Raises TinyflashError without a sample."""

    def set(self, rank: int) -> Judged:
        """Sets the threshold to the rank-th largest score that is held, in STATE. Raises
        TinyflashError if there is none."""

    def resume(self, held: HeldScores = HeldScores()) -> Judged:
        """Replaces what is held."""

    def tell(self) -> Judged:
        """Returns the newest sample, and the threshold."""


def check_rank(rank: int, held: int) -> None:
    """Raises DataError if no threshold of this rank can be set."""
    if not 1 <= rank <= min(MOST_RANKS, held):
        raise DataError(
            f"the threshold cannot be number {rank} of {held:,} scores; it is 1 to {MOST_RANKS}, "
            "and not above the windows that set it"
        )
