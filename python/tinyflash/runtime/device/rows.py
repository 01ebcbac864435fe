"""Sends a sample row by row, when the device asks for rows (PROTOCOL.md, "Rows")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflash.errors import LinkError
from tinyflash.runtime.device import coding, protocol

# Maps offset and count of a WANT to the body of a ROWS frame: those bytes, or the first of them.
Serve = Callable[[int, int], bytes]
_MOST_REPEATED = 40  # WANTs in a row for bytes that were sent already; a device gives up earlier


class Wants:
    """Answers the WANTs of one command. A device that asks for the same rows for ever is refused.

    serve: None if the command has no sample.
    """

    def __init__(self, serve: Serve | None) -> None:
        self._serve = serve
        self._furthest = -1  # offset asked for so far
        self._repeated = 0

    def answer(self, want: bytes) -> bytes:
        """Returns the body of the ROWS frame that answers the body of a WANT."""
        if self._serve is None:
            raise LinkError("the device asks for rows of a sample, but the command has none")
        offset, count = protocol.parse_want(want)
        self._repeated = 0 if offset > self._furthest else self._repeated + 1
        self._furthest = max(self._furthest, offset)
        if self._repeated > _MOST_REPEATED:
            raise LinkError(
                f"the device asked for the rows at byte {offset} of the sample "
                f"{self._repeated} times; restart it, or look for a bad line"
            )
        return self._serve(offset, count)


@dataclass(frozen=True)
class Rows:
    """The sample of one run. room: bytes of data in a frame."""

    sample: coding.Bytes
    shape: tuple[int, ...]
    room: int

    def serve(self, offset: int, count: int) -> bytes:
        """Returns the body of a ROWS frame: as many of the wanted bytes as fit, coded
        separately."""
        if not 0 < count <= len(self.sample) - offset:
            raise LinkError(
                f"the device asks for {count} bytes at {offset} of a sample of {len(self.sample)}; "
                "rebuild and flash its firmware"
            )
        wanted = self.sample[offset : offset + count]
        chunk = next(coding.chunks(wanted, self.shape, self.room))
        head = protocol.ROWS_HEAD.pack(chunk.group, chunk.stride, offset, chunk.count)
        return head + chunk.data
