"""Sends a sample row by row, when the device asks for rows (PROTOCOL.md, "Rows")."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.errors import LinkError
from tinyflash.runtime.device import coding, protocol


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
