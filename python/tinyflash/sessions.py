"""Where a compiled model runs: on this computer, or in an emulated board."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyflash.boards import Board
from tinyflash.build import build_firmware
from tinyflash.compiler import Compiled
from tinyflash.device import DeviceSession, Emulator
from tinyflash.host import Session as HostSession
from tinyflash.session import Session


@contextmanager
def open_session(
    compiled: Compiled, board: Board | None, directory: Path, guard: int = 0
) -> Iterator[Session]:
    """On the host without a board; else in its emulator, with firmware built in `directory`.

    guard: held-out samples to have room for on a board.
    """
    if board is None:
        yield HostSession(compiled.program)
        return
    compiled.write(directory)
    elf = build_firmware(directory, board, directory / "firmware", guard=guard)
    with (
        Emulator(board, elf) as emulator,
        DeviceSession(emulator, compiled.program.hash) as device,
    ):
        yield device
