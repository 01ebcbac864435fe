"""The demo's part on the board: firmware, training over the serial line, counting instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import FirmwareSize, firmware_size
from tinyflash.errors import BoardError
from tinyflash.runtime.device import DeviceSession
from tinyflash.show.console import Clock
from tinyflash.training.job import Job, Trained
from tinyflash.training.open import Ready, open_session
from tinyflash.training.run import run


@dataclass(frozen=True)
class Instructions:
    """Instruction counts from the emulator's clock. One tick is `resolution` instructions."""

    infer: int
    step: int
    resolution: float


@dataclass(frozen=True)
class Measured:
    """The results of a board run, and its costs. `stack_bytes`: the deepest stack use."""

    trained: Trained
    size: FirmwareSize
    stack_bytes: int
    instructions: Instructions


def run_on_board(ready: Ready, board: Board, job: Job, directory: Path, clock: Clock) -> Measured:
    """Builds the firmware, boots it, runs the job over the serial line, then counts
    instructions."""
    with open_session(ready, directory) as device:
        assert isinstance(device, DeviceSession)
        trained = run(job, device, ready, f"{board.name}: ")
        stack = device.stack_high_water
    clock.say("counting the instructions of an inference and of a training step")
    elf = directory / "firmware.elf"
    counted = _count(board, elf, ready.compiled.program.hash, job)
    return Measured(trained, firmware_size(elf), stack, counted)


def _count(board: Board, elf: Path, model_hash: int, job: Job) -> Instructions:
    """Counts one inference and one training step in a separate run, which is several times
    slower."""
    if board.qemu is None:
        raise BoardError(f"board {board.name} is not emulated; the demo needs an emulated board")
    per_tick = 1 / board.qemu.ticks_per_instruction
    x, y = job.train.x[0], int(job.train.y[0])
    with (
        Emulator(board, elf, counted=True) as emulator,
        DeviceSession(emulator, model_hash) as device,
    ):
        device.infer(x)
        infer = device.last_ticks
        device.train_step(x, y, job.recipe.rate)
        step = device.last_ticks
    return Instructions(round(infer * per_tick), round(step * per_tick), per_tick)
