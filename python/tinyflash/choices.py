"""Schemes of one network in one image, among which a board chooses (SPEC 16).

It mirrors include/tinyflash/choose.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.program import Factor, Program

ALL = 1 << 16  # the share of a layer that is trained whole


@dataclass(frozen=True)
class JudgedMap:
    """A map whose channels the judge judges. at: of its statistic in the judge's WEIGHTS, in bytes.
    square: of the map's scale."""

    name: str
    at: int
    channels: int
    square: Factor


@dataclass(frozen=True)
class JudgedLayer:
    """A layer of which a candidate trains weights. made: number of the map that it makes. mask:
    whether each channel of map `part` is trained; None if the share alone says it. share: in 2^-16.
    """

    name: str
    made: int
    share: int = ALL
    part: int = 0
    mask: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class Candidate:
    """A scheme among which the board chooses. name: a part of names in C."""

    name: str
    program: Program
    layers: tuple[JudgedLayer, ...]


@dataclass(frozen=True)
class Choices:
    """A judge, and the candidates, the preferred one first: of equal scores the first is chosen."""

    judge: Program
    maps: tuple[JudgedMap, ...]
    candidates: tuple[Candidate, ...]

    @property
    def programs(self) -> tuple[Program, ...]:
        """All models: the judge, then the candidates."""
        return (self.judge, *(candidate.program for candidate in self.candidates))
