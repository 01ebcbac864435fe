"""The firmware as a process of this computer."""

from __future__ import annotations

import os
import random
import select
import subprocess
from pathlib import Path

from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Decoder, Frame
from tinyflash.runtime.device.protocol import Type


class PipePort:
    """A process on pipes, as the port that a Link wants."""

    poll = 0.05  # seconds that a read waits

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin and self.process.stdout
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()

    def read(self, size: int) -> bytes:
        ready, _, _ = select.select([self._from], [], [], self.poll)
        return os.read(self._from, size) if ready else b""

    def write(self, data: bytes) -> int:
        while data:
            data = data[os.write(self._to, data) :]
        return 0

    @property
    def in_waiting(self) -> int:
        return 4096

    def close(self) -> None:
        """Ends the firmware; fails if a sanitizer had something to say."""
        _, complaints = self.process.communicate()
        assert self.process.returncode == 0, complaints.decode()

    def finish(self) -> None:
        """The same for firmware that a test may have left at any point, or ended."""
        if self.process.poll() is None:
            self.close()
        elif self.process.stdin and not self.process.stdin.closed:
            self.process.communicate()


class NoisyPort(PipePort):
    """Damages what passes, both ways: at times loses, changes or inserts a byte, or repeats all."""

    def arm(self, seed: int, often: float) -> None:
        self.inward, self.outward, self.often = random.Random(seed), random.Random(seed), often

    def _damage(self, data: bytes, source: random.Random) -> bytes:
        if not data or source.random() > self.often:
            return data
        at, byte = source.randrange(len(data)), bytes([source.randrange(256)])
        before, after = data[:at], data[at + 1 :]
        kinds = [before + after, before + byte + after, before + byte + data[at:], before]
        return source.choice([*kinds, data + data])

    def read(self, size: int) -> bytes:
        return self._damage(super().read(size), self.inward)

    def write(self, data: bytes) -> int:
        return super().write(self._damage(data, self.outward))


def exchange(port: PipePort, data: bytes, count: int) -> list[Frame]:
    """Sends bytes; the first `count` frames that come back, but for answers to an earlier HELLO."""
    port.write(data)
    decoder, frames = Decoder(), []
    while len(frames) < count:
        received = port.read(4096)
        assert received or port.process.poll() is None, "the firmware is gone"
        frames += [f for f in decoder.feed(received) if f.type != Type.HELLO | protocol.REPLY]
    return frames
