"""What a board does in Renode, and the host beside it; as a program, for learns.robot.

python -m tests.renode.learn build FOLDER BOARD    FOLDER/firmware.elf
python -m tests.renode.learn check URL             exit status 0 if the board learns as the host
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tests.support.learner import learner

from tinyflash.boards import load_board
from tinyflash.boards.emulation import Emulation
from tinyflash.boards.firmware import build_firmware
from tinyflash.compiler import Compiled
from tinyflash.paths import source_root
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

ROOT = source_root()
STEPS = 24
RATE = 0.05


def build(folder: Path, board: str) -> Path:
    write_model(learner(), folder)
    return build_firmware(folder, load_board(board), folder)


def check_learns_as_the_host(target: Emulation | str) -> None:
    """Trains, saves, trains on, and goes back to what was saved; beside the host, byte for byte."""
    compiled = learner()
    host = HostSession(compiled.program)
    with DeviceSession(target, compiled.program) as device:
        _train(compiled, host, device, seed=1)
        saved = host.weights
        device.save()
        _train(compiled, host, device, seed=2)
        assert host.weights != saved
        device.load()
        assert device.weights == saved
        device.factory()
        assert device.weights == HostSession(compiled.program).weights


def _train(compiled: Compiled, host: HostSession, device: DeviceSession, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for step in range(STEPS):
        x = rng.integers(-128, 128, compiled.program.input_bytes, dtype=np.int8)
        label = step % compiled.program.classes
        assert device.train_step(x, label, RATE) == host.train_step(x, label, RATE)
    assert device.weights == host.weights


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "build":
        build(Path(rest[0]), rest[1])
    else:
        check_learns_as_the_host(rest[0])
