"""A line that loses, changes, repeats and cuts off whole frames, both ways."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from tests.support.pipes import PipePort

FAULTS = ("changed", "lost", "repeated", "cut off")


class Line:
    """One direction. often: the share of frames that each of FAULTS hits. counts: frames, and those
    hit by each fault."""

    def __init__(self, source: random.Random, often: float) -> None:
        self.source, self.often = source, often
        self.counts: Counter[str] = Counter()
        self._pending = b""

    def carry(self, data: bytes) -> bytes:
        """Returns what arrives. A frame that is not complete waits for its end."""
        *complete, self._pending = (self._pending + data).split(b"\0")
        return b"".join(map(self._frame, filter(None, complete)))

    def _frame(self, frame: bytes) -> bytes:
        self.counts["frames"] += 1
        drawn = int(self.source.random() / self.often) if self.often else len(FAULTS)
        if drawn >= len(FAULTS):
            return b"\0" + frame + b"\0"
        self.counts[FAULTS[drawn]] += 1
        match FAULTS[drawn]:
            case "lost":
                return b""
            case "repeated":
                return (b"\0" + frame + b"\0") * 2
            case "cut off":  # and nothing marks the end
                return b"\0" + frame[: self.source.randrange(len(frame))]
        changed = bytearray(frame)
        for _ in range(self.source.randint(1, 3)):
            changed[self.source.randrange(len(changed))] ^= self.source.randint(1, 255)
        return b"\0" + bytes(changed) + b"\0"


class FaultyPort(PipePort):
    """Firmware of this computer behind such a line."""

    poll = 0.001

    def __init__(self, program: Path, seed: int, often: float) -> None:
        super().__init__(program)
        self.lines = tuple(Line(random.Random(f"{seed} {way}"), often) for way in ("to", "from"))

    @property
    def counts(self) -> Counter[str]:
        """Of both directions."""
        return self.lines[0].counts + self.lines[1].counts

    def read(self, size: int) -> bytes:
        return self.lines[1].carry(super().read(size))

    def write(self, data: bytes) -> int:
        return super().write(self.lines[0].carry(data))
