"""A device in memory, for what the host must bear."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.protocol import Info, Type

VERSION = 3
_INFO = struct.Struct("<BBHIIIIIIIIII")


def info_body(info: Info) -> bytes:
    """INFO, as PROTOCOL.md lays it out."""
    numbers = (info.hash, info.weights_bytes, info.state_bytes, info.arena_bytes, info.input_bytes)
    more = (info.output_bytes, info.classes, info.stack_bytes, info.target_bytes, info.row_bytes)
    flags = info.trains | info.half_written << 1 | info.stores << 2
    texts = b"".join(bytes([len(t)]) + t.encode() for t in (info.board, info.model))
    return _INFO.pack(VERSION, flags, info.frame_bytes, *numbers, *more) + texts


def reply_of(sent: Frame, body: bytes = b"") -> Frame:
    """The reply to a command, of a good status."""
    return Frame(sent.type | 0x80, sent.sequence, b"\0" + body)


def size_of_reply(sent: Frame, info: Info) -> int:
    """The bytes after the status of a good reply, as PROTOCOL.md says."""
    if sent.type == Type.READ:
        return int.from_bytes(sent.body[5:7], "little")
    output = min(info.output_bytes, info.frame_bytes - 11)
    sizes = {
        Type.INFER: 4 + output,
        Type.TRAIN: 12,
        Type.COUNTERS: 16,
        Type.GUARD: 32,
        Type.REPLAY: 16,
        Type.NORMAL: 17,
    }
    return sizes.get(Type(sent.type), 0)


class FakePort:
    """The port of a Link. `answer` maps each frame that is sent to frames, or to raw bytes."""

    def __init__(self, answer: Callable[[Frame], Sequence[Frame | bytes]]) -> None:
        self.answer = answer
        self.sent: list[Frame] = []
        self._decoder = Decoder()
        self._coming = b""

    def read(self, size: int) -> bytes:
        data, self._coming = self._coming[:size], self._coming[size:]
        return data

    def write(self, data: bytes) -> int:
        for frame in self._decoder.feed(data):
            self.sent.append(frame)
            for given in self.answer(frame):
                self._coming += given if isinstance(given, bytes) else encode(given)
        return len(data)

    @property
    def in_waiting(self) -> int:
        return len(self._coming)

    def close(self) -> None:
        pass
