"""A line that loses, changes, repeats and invents bytes: each command is executed exactly once.

The firmware runs on this computer, under sanitizers.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.link.conftest import PipePort
from tinyflash.device import protocol
from tinyflash.device.frames import Decoder, Frame, encode
from tinyflash.device.link import Link
from tinyflash.device.protocol import Type
from tinyflash.device.session import DeviceSession
from tinyflash.errors import LinkError

SAMPLE = np.random.default_rng(1).integers(-128, 128, 3000).astype(np.int8)


class NoisyPort(PipePort):
    """Damages what passes, both ways: at times loses, changes or inserts a byte, or repeats all."""

    def arm(self, seed: int, often: float) -> None:
        self.random, self.often = random.Random(seed), often

    def _damage(self, data: bytes) -> bytes:
        if not data or self.random.random() > self.often:
            return data
        at, byte = self.random.randrange(len(data)), bytes([self.random.randrange(256)])
        return self.random.choice(
            [data[:at] + data[at + 1 :], data[:at] + byte + data[at + 1 :], data[:at] + byte + data[at:]]
            + [data + data, data[:at]]
        )

    def read(self, size: int) -> bytes:
        return self._damage(super().read(size))

    def write(self, data: bytes) -> int:
        return super().write(self._damage(data))


@pytest.mark.parametrize("seed", range(3))
def test_training_over_a_noisy_line(seed: int, host_firmware: object) -> None:
    port = NoisyPort(host_firmware)  # type: ignore[arg-type]
    port.arm(seed, 0.15)
    link = Link(port, patience=0.1)
    with DeviceSession(link) as device:
        weights = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8)
        for label in (0, 1, 2, 1):
            device.train_step(SAMPLE, label, 0.5)
            weights = weights + SAMPLE[:1500] + np.int8(label)
        assert device.weights == weights.tobytes()
        assert device.counters().step == 4
        assert device.frames_damaged > 0
    assert link.repeated > 4
