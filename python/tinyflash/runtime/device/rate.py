"""The rate of a serial line, in baud: what is tried, and in which order (PROTOCOL.md, "Rates")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, count, repeat
from typing import Protocol

BASE = 115_200  # of every board after its start
HIGHER = (3_000_000, 2_000_000, 1_500_000, 1_000_000, 921_600, 460_800, 230_400)
PARTS = 40  # two rates that differ by less than a fortieth understand each other
_MOST_TRIALS = 3
# Seconds that a try waits, in those of the link's patience.
_SWEEP = 1 / 8
_TRIAL = (0.5, 0.5)
_RAISED = (1.0, 1.0, 2.0, 2.0)  # more than a board's doubt


class Adjustable(Protocol):
    """The part of pyserial's ports that sets a rate."""

    baudrate: int


class LineRate:
    """The rate of one port. now: of the port. agreed: of both sides, as far as the host knows.

    port: None if it has no rate, as a socket. changes: those that the device counts. fell: the
    device has gone back to BASE by itself, or has restarted. on_trial: whether the line carries the
    agreed rate is not known yet.
    """

    def __init__(self, port: Adjustable | None = None) -> None:
        self._port = port
        self.now = self.agreed = BASE
        self.changes = 0
        self.fell = self.on_trial = False

    @property
    def is_fixed(self) -> bool:
        return self._port is None

    def set(self, rate: int) -> bool:
        """Sets the port. Returns whether it can have the rate; if not, it keeps its own."""
        if self._port is not None and rate != self.now:
            try:
                self._port.baudrate = rate
            except Exception:  # of many kinds, such as termios.error
                with suppress(Exception):  # a port that is gone: the next write says so
                    self._port.baudrate = self.now
                return False
        self.now = rate
        return True

    def can(self, rate: int) -> bool:
        before = self.now
        there = self.set(rate)
        return self.set(before) and there

    def heard(self, starting: bool) -> None:
        """Notes that the device has answered at the port's rate."""
        self.fell |= self.now != self.agreed and not starting
        self.agreed = self.now

    def tries(self, starting: bool, patience: float) -> Iterator[tuple[int, float]]:
        """Yields, for each try of a command, the rate and the seconds to wait for the answer."""
        longer = (patience * 2**n for n in count())
        if self.is_fixed or (self.agreed == BASE and not starting):
            return zip(repeat(BASE), longer)
        if starting:  # an earlier host may have left the device at any rate
            others = [rate for rate in (BASE, *HIGHER) if rate != self.agreed]
            sweep = [(rate, patience * _SWEEP) for rate in others]
            return chain.from_iterable([(self.agreed, wait), *sweep] for wait in longer)
        first = [(self.agreed, patience * wait) for wait in (_TRIAL if self.on_trial else _RAISED)]
        after = ([(BASE, wait), (self.agreed, wait)] for wait in longer)
        return chain(first, chain.from_iterable(after))


def trials(offered: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the rates to try, the highest first: a few, each at most half of the one before.

    offered: rates, and what the device has for each; 0: nothing.
    """
    chosen: list[int] = []
    for wanted, there in offered:
        fits = abs(there - wanted) * PARTS < wanted
        if fits and (not chosen or wanted <= chosen[-1] // 2) and len(chosen) < _MOST_TRIALS:
            chosen.append(wanted)
    return chosen
