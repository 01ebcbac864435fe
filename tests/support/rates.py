"""Firmware of this computer on a serial line that has a rate (tests/firmware/serial_board.c)."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.firmware import build_for_host
from tests.support.pipes import PipePort

from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.rate import LineRate

PATIENCE = 0.2  # seconds: the firmware's clock is as hasty
_HEAD = struct.Struct("<II")  # rate, count


def build(model: Path, program: Path, *settings: str) -> Path:
    return build_for_host(model, program, *settings, board="serial_board.c")


class RatedPort(PipePort):
    """carries: the highest rate at which bytes arrive as they were sent. has: the highest that the
    port can be set to."""

    poll = 0.005

    def __init__(self, program: Path, carries: int = 1 << 31, has: int = 1 << 31) -> None:
        super().__init__(program)
        self.carries, self.has = carries, has
        self._rate = 115_200
        self._raw = b""
        self.heard: list[int] = []  # of what the host has sent, without repetitions

    @property
    def baudrate(self) -> int:
        return self._rate

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        self._rate = rate  # as pyserial: kept, even if the port refuses
        if rate > self.has:
            raise ValueError("no such rate")

    def close(self) -> None:
        """The board runs on; who opens the port again finds it as it is then."""
        self._rate = 115_200

    def finish(self) -> None:
        if self.process.poll() is None:
            super().close()

    def write(self, data: bytes) -> int:
        if self.heard[-1:] != [self._rate]:
            self.heard.append(self._rate)
        super().write(_HEAD.pack(self._rate, len(data)) + self._over(self._rate, data))
        return len(data)

    def read(self, size: int) -> bytes:
        self._raw += super().read(size)
        arrived = b""
        while len(self._raw) >= _HEAD.size:
            rate, count = _HEAD.unpack_from(self._raw)
            if len(self._raw) < _HEAD.size + count:
                break
            data = self._raw[_HEAD.size : _HEAD.size + count]
            self._raw = self._raw[_HEAD.size + count :]
            same = abs(rate - self._rate) * 40 < rate
            arrived += self._over(rate, data) if same else bytes(b ^ 0xA5 for b in data[::2])
        return arrived

    def _over(self, rate: int, data: bytes) -> bytes:
        """What a line makes of too short bits."""
        return data if rate <= self.carries else bytes(b | b >> 1 for b in data)


def link_to(port: RatedPort) -> Link:
    return Link(port, patience=PATIENCE, line=LineRate(port))
