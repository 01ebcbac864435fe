"""Which part of a tensor memory holds, where it is not all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Held(Protocol):
    """A part of a tensor: the bytes that it takes, and how they are written over what is there."""

    @property
    def nbytes(self) -> int: ...

    def write(self, memory: memoryview, data: bytes) -> None: ...


@dataclass(frozen=True)
class Rows:
    """Rows [first, end) of a map in a ring."""

    row_bytes: int
    ring: int
    first: int
    end: int

    @property
    def nbytes(self) -> int:
        return self.row_bytes * self.ring

    def write(self, memory: memoryview, data: bytes) -> None:
        size = self.row_bytes
        for row in range(self.first, self.end):
            at = row % self.ring * size
            memory[at : at + size] = data[row * size : (row + 1) * size]


@dataclass(frozen=True)
class Bits:
    """Bits [first, end) of a mask of `count` bits; with the last go the padding bits."""

    count: int
    first: int
    end: int

    @property
    def nbytes(self) -> int:
        return -(-self.count // 8)

    def write(self, memory: memoryview, data: bytes) -> None:
        old, new = (
            np.unpackbits(np.frombuffer(b, np.uint8, self.nbytes), bitorder="little")
            for b in (memory, data)
        )
        end = None if self.end == self.count else self.end
        old[self.first : end] = new[self.first : end]
        memory[: self.nbytes] = np.packbits(old, bitorder="little").tobytes()
