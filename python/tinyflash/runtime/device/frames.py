"""Frames on a serial line: COBS between zero bytes, with a CRC-32 (PROTOCOL.md, "Frames")."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cobs import cobs

LONGEST = 4096  # bytes of a frame before COBS; more means another protocol
_LONGEST_CODED = LONGEST + LONGEST // 254 + 1


@dataclass(frozen=True)
class Frame:
    """One frame with a correct CRC."""

    type: int
    sequence: int
    body: bytes = b""


def encode(frame: Frame) -> bytes:
    """Returns the bytes to send. The leading zero flushes any garbage on the line."""
    covered = bytes([frame.type, frame.sequence]) + frame.body
    crc = zlib.crc32(covered).to_bytes(4, "little")
    encoded: bytes = cobs.encode(covered + crc)
    return b"\0" + encoded + b"\0"


def decode(encoded: bytes) -> Frame | None:
    """Returns the frame between two zeros, or None if it is damaged."""
    try:
        raw = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    covered, crc = raw[:-4], raw[-4:]
    if len(covered) < 2 or zlib.crc32(covered) != int.from_bytes(crc, "little"):
        return None
    return Frame(covered[0], covered[1], covered[2:])


class Decoder:
    """Finds frames in a stream of bytes; drops and counts damaged ones."""

    def __init__(self) -> None:
        self.damaged = 0
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        *complete, self._pending = (self._pending + data).split(b"\0")
        self._pending = self._pending[-_LONGEST_CODED:]
        for encoded in filter(None, complete):
            frame = decode(encoded)
            if frame is None:
                self.damaged += 1
            else:
                yield frame
