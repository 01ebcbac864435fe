"""Samples and memory between a host and a device, cut into frames."""

from __future__ import annotations

import numpy as np

from tinyflash.errors import DataError
from tinyflash.runtime.device import coding, protocol
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.pairing import TAG_BYTES
from tinyflash.runtime.device.protocol import FRAME_OVERHEAD, Info, Purpose, Space, Type
from tinyflash.runtime.device.rows import Rows
from tinyflash.runtime.session import Int8Array


class Pieces:
    """Sends commands of any size over a link. run_s: seconds for an inference or a training
    step."""

    def __init__(self, link: Link, info: Info, run_s: float) -> None:
        self._link, self._info, self._run_s = link, info, run_s

    def order(self, kind: Type, body: bytes = b"") -> None:
        """Sends a command whose reply is only its status."""
        self._link.command(kind, body, size=0)

    def run(
        self, x: Int8Array, purpose: Purpose, kind: Type, size: int, body: bytes = b""
    ) -> bytes:
        """Runs INFER or TRAIN, whose reply has `size` bytes. Sends the sample before, or row by row
        when the device asks."""
        if not self._info.row_bytes:
            self.send_sample(x, purpose)
            return self._link.command(kind, body, self._run_s, size=size)
        rows = Rows(self._checked(x, purpose), x.shape, self.room_to(protocol.ROWS_HEAD.size))
        return self._link.command(kind, body, self._run_s, rows.serve, size)

    def infer(self, x: Int8Array) -> bytes:
        """Runs INFER. Returns its reply: ticks, and the output as far as it fits."""
        size = min(self._info.output_bytes, self.room(1 + protocol.TICKS.size))
        return self.run(x, Purpose.INFER, Type.INFER, protocol.TICKS.size + size)

    def room(self, head: int) -> int:
        """Returns the bytes of data that a frame can hold after `head` bytes."""
        return self._info.frame_bytes - FRAME_OVERHEAD - head

    def room_to(self, head: int) -> int:
        """The same of a frame that the host sends, which may need a tag."""
        return self.room(head + (TAG_BYTES if self._info.paired else 0))

    def _checked(self, x: Int8Array, purpose: Purpose) -> coding.Bytes:
        """Returns the bytes of a sample or a target. Raises DataError if they do not fit the
        device."""
        is_target = purpose is Purpose.TARGET
        size = self._info.target_bytes if is_target else self._info.input_bytes
        if x.dtype != np.int8 or x.size != size:
            what = "target" if is_target else "sample"
            raise DataError(f"a {what} of {x.size} {x.dtype}; the device takes {size} int8")
        return np.ascontiguousarray(x).reshape(-1).view(np.uint8)

    def send_sample(self, x: Int8Array, purpose: Purpose) -> None:
        sample = self._checked(x, purpose)
        room = self.room_to(protocol.SAMPLE_HEAD.size)
        for chunk in coding.chunks(sample, x.shape, room):
            head = (purpose, chunk.group, chunk.stride, chunk.offset, chunk.count)
            self.order(Type.SAMPLE, protocol.SAMPLE_HEAD.pack(*head) + chunk.data)

    def read(self, space: Space, start: int, end: int) -> bytes:
        room = self.room(1)  # after the status
        pieces = []
        for offset in range(start, end, room):
            count = min(room, end - offset)
            body = protocol.READ.pack(space, offset, count)
            pieces.append(self._link.command(Type.READ, body, size=count))
        return b"".join(pieces)

    def write(self, space: Space, data: bytes) -> None:
        room = self.room_to(protocol.WRITE_HEAD.size)
        for offset in range(0, len(data), room):
            head = protocol.WRITE_HEAD.pack(space, offset)
            self.order(Type.WRITE, head + data[offset : offset + room])
