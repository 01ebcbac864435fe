"""The demo's part on the board: firmware, training over the serial line, counting instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards import Board
from tinyflash.build import FirmwareSize, build_firmware, firmware_size
from tinyflash.compiler import Compiled
from tinyflash.demo.runs import Run, run_task
from tinyflash.demo.task import Task
from tinyflash.device import DeviceSession, Emulator
from tinyflash.errors import BoardError
from tinyflash.training import Recipe


@dataclass(frozen=True)
class Instructions:
    """Counted by the emulator's clock, of which one tick is `resolution` instructions."""

    infer: int
    step: int
    resolution: float


@dataclass(frozen=True)
class Measured:
    """What a board did, and what it took. `stack_bytes`: the deepest its stack ever was."""

    run: Run
    size: FirmwareSize
    stack_bytes: int
    instructions: Instructions


def run_on_board(
    compiled: Compiled, board: Board, task: Task, how: Recipe, directory: Path
) -> Measured:
    """Builds the firmware, boots it, runs the task over the serial line, and counts apart."""
    compiled.write(directory)
    elf = build_firmware(directory, board, directory / "firmware")
    with (
        Emulator(board, elf) as emulator,
        DeviceSession(emulator, compiled.program.hash) as device,
    ):
        run = run_task(device, task, how, board.name)
        stack = device.stack_high_water
    return Measured(run, firmware_size(elf), stack, _count(compiled, board, elf, task, how))


def _count(compiled: Compiled, board: Board, elf: Path, task: Task, how: Recipe) -> Instructions:
    """One inference and one training step in a run that counts, which is several times slower."""
    if board.qemu is None:
        raise BoardError(f"board {board.name} is a real one; the demo needs an emulated one")
    per_tick = 1 / board.qemu.ticks_per_instruction
    x, y = task.train.x[0], int(task.train.y[0])
    with (
        Emulator(board, elf, counted=True) as emulator,
        DeviceSession(emulator, compiled.program.hash) as device,
    ):
        device.infer(x)
        infer = device.last_ticks
        device.train_step(x, y, how.rate)
        step = device.last_ticks
    return Instructions(round(infer * per_tick), round(step * per_tick), per_tick)
