"""An emulated board that is killed while it trains and saves, at random moments: the host says so
in one line, and the next start has what was saved, old or new, and goes on."""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tinyflash.boards import load_board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled
from tinyflash.errors import LinkError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

BOARD = load_board("qemu_stm32f405")
LONGEST = 1.2  # seconds until the board is killed
SAVE_EVERY = 2  # steps
RATE = 0.05


@pytest.fixture(scope="module", name="elf")
def _elf(learner: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learner")
    write_model(learner, folder)
    return build_firmware(folder, BOARD, folder)


@dataclass
class Work:
    """A twin of the device; the weights and the state of the last save that was answered, and of
    one that was not."""

    host: HostSession
    rng: np.random.Generator
    saved: bytes = b""
    saving: bytes | None = None
    steps: int = 0

    def step(self, device: DeviceSession) -> None:
        x = self.rng.integers(-128, 128, (6, 6, 2), dtype=np.int8)
        label = int(self.rng.integers(3))
        device.train_step(x, label, RATE)
        self.host.train_step(x, label, RATE)
        self.steps += 1

    def save(self, device: DeviceSession) -> None:
        self.saving = self.host.weights + self.host.state
        device.save()
        self.saved, self.saving = self.saving, None


def check_start(work: Work, elf: Path, folder: Path) -> None:
    """Starts the board again: it has what was saved last, or what it was saving, and goes on."""
    with Emulator(BOARD, elf, flash=folder) as emulator, DeviceSession(emulator) as device:
        found = device.weights + device.state
        assert found in (work.saved, work.saving)
        size = device.info.weights_bytes
        work.host.weights, work.host.state = found[:size], found[size:]
        work.step(device)
        work.save(device)
        assert device.weights + device.state == work.saved


def unplugged(work: Work, elf: Path, folder: Path, moment: float) -> str:
    """Trains and saves until the board is killed. Returns what the host says."""
    with Emulator(BOARD, elf, flash=folder) as emulator:
        assert emulator.pid is not None
        killer = threading.Timer(moment, os.kill, (emulator.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(LinkError) as caught, DeviceSession(emulator) as device:
            while True:
                work.step(device)
                if work.steps % SAVE_EVERY == 0:
                    work.save(device)
        killer.join()
    return str(caught.value)


def test_a_board_that_is_killed_has_the_old_or_the_new(
    elf: Path, learner: Compiled, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random, host = Random(7), HostSession(learner.program)
    work = Work(host, np.random.default_rng(7), saved=host.weights + host.state)
    trained = 0
    for number in range(request.config.getoption("--unpluggings")):
        before = work.steps
        said = unplugged(work, elf, tmp_path, random.uniform(0.05, LONGEST))
        assert re.fullmatch(r"[^\n]*was killed by signal 9[^\n]*", said), said
        trained += work.steps - before
        check_start(work, elf, tmp_path)
        print(f"{number}: killed after {work.steps - before} steps")
    assert trained > 0
