"""A program that is stopped in the middle of a frame or of a reply, by Ctrl-C, finds the device at
work: it reads what was learned, and trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.pipes import PipePort

from tinyflash.compiler import Compiled
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Session

RANDOM = np.random.default_rng(4)
X = RANDOM.integers(-128, 128, (12, 6, 6, 2), dtype=np.int8)
Y = RANDOM.integers(0, 3, 12)


class StruckPort(PipePort):
    """Raises KeyboardInterrupt in one of its calls, once: before it, after it, or in its middle."""

    left = -1  # calls until then
    random = Random(0)

    def _strike(self) -> bool:
        self.left -= 1
        return self.left == -1

    def read(self, size: int) -> bytes:
        if self._strike():
            if self.random.random() < 0.5:
                super().read(size)  # which nobody sees
            raise KeyboardInterrupt
        return super().read(size)

    def write(self, data: bytes) -> int:
        if self._strike():
            super().write(data[: self.random.randrange(len(data) + 1)])
            raise KeyboardInterrupt
        return super().write(data)


@pytest.fixture
def struck(guarded_firmware: Path, ports: list[PipePort]) -> Iterator[StruckPort]:
    port = StruckPort(guarded_firmware)
    ports.append(port)
    yield port


def train(session: Session, first: int, last: int) -> None:
    for i in range(first, last):
        session.train_step(X[i], int(Y[i]), 0.05)


def _after(learner: Compiled, steps: int) -> HostSession:
    host = HostSession(learner.program)
    train(host, 0, steps)
    return host


WORK: dict[str, Callable[[DeviceSession], object]] = {
    "train": lambda device: train(device, 3, 6),
    "infer": lambda device: [device.infer(x) for x in X[:3]],
    "read": lambda device: [device.weights, device.state],
    "guard": lambda device: device.start_guard(X[:3], Y[:3], 2, 0),
}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("seed", range(8))
def test_the_link_stays_usable(struck: StruckPort, learner: Compiled, work: str, seed: int) -> None:
    random = StruckPort.random = Random(seed)
    device = DeviceSession(Link(struck, patience=0.2))
    train(device, 0, 3)
    struck.left = random.randrange(3, 12)
    with pytest.raises(KeyboardInterrupt):
        while True:
            WORK[work](device)
    steps = device.counters().step
    learned = device.weights, device.state
    if work == "train":
        assert steps >= 3
    else:
        host = _after(learner, 3)
        assert learned == (host.weights, host.state)
    weights, state = learned
    again = HostSession(learner.program)
    again.weights, again.state = weights, state
    for session in (device, again):
        train(session, 6, 12)
    assert (device.weights, device.state) == (again.weights, again.state)
    assert device.counters().step == steps + 6
