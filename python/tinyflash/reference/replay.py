"""The replay buffer in plain Python, to the letter of SPEC 12."""

from __future__ import annotations

from dataclasses import dataclass, field

_LIMIT = 2**32
_KEEPS, _DRAWS = 0x6B656570, 0x64726177


def _mix(h: int) -> int:
    """SPEC 6.3."""
    h ^= h >> 16
    h = h * 0x85EBCA6B % _LIMIT
    h ^= h >> 13
    h = h * 0xC2B2AE35 % _LIMIT
    return h ^ h >> 16


def _draw(bits: int, below: int) -> int:
    return bits * below // _LIMIT


@dataclass
class ReplayBuffer:
    """Keeps `slots` samples of each of `classes`, as bytes."""

    classes: int
    slots: int
    seed: int
    done: int = 0
    seen: list[int] = field(default_factory=list)
    samples: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen = self.seen or [0] * self.classes

    def keep(self, sample: bytes, label: int) -> None:
        """SPEC 12.2."""
        before = self.seen[label]
        n = self.seen[label] = min(before + 1, _LIMIT - 1)
        slot = n - 1
        if before >= self.slots:
            slot = _draw(_mix(_mix(_mix(self.seed ^ _KEEPS) ^ label) ^ n), n)
        if slot < self.slots:
            self.samples[label, slot] = sample

    def pick(self) -> tuple[bytes, int] | None:
        """SPEC 12.3: returns the next sample to train on, and its label; None if there is none."""
        labels = [label for label in range(self.classes) if self.seen[label]]
        if not labels:
            return None
        bits = _mix(_mix(self.seed ^ _DRAWS) ^ self.done)
        label = labels[_draw(bits, len(labels))]
        slot = _draw(_mix(bits ^ label), min(self.seen[label], self.slots))
        self.done = (self.done + 1) % _LIMIT
        return self.samples[label, slot], label

    def memory(self, sample_bytes: int) -> bytes:
        """SPEC 12.1."""
        numbers = [self.seed, self.done, *self.seen]
        head = b"".join(number.to_bytes(4, "little") for number in numbers)
        places = [(label, slot) for label in range(self.classes) for slot in range(self.slots)]
        body = b"".join(self.samples.get(place, bytes(sample_bytes)) for place in places)
        return head + body + bytes(-(len(head) + len(body)) % 4)
