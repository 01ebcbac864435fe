"""Opens a session for a compiled model: on this computer, or on an emulated board."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import build_firmware
from tinyflash.boards.fits import Fit, check_fits
from tinyflash.boards.named import DEFAULT
from tinyflash.compiler import Compiled
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.session import Session
from tinyflash.show.report import write_compilation


@dataclass(frozen=True)
class Ready:
    """A compiled model, and the board memory it takes. None: it runs on the host."""

    compiled: Compiled
    fit: Fit | None = None

    @staticmethod
    def of(compiled: Compiled, board: Board | None = None) -> Ready:
        """Checks the model against the board. Raises BoardError if it is too large."""
        return Ready(compiled, None if board is None else check_fits(compiled, board))


@contextmanager
def open_session(ready: Ready, directory: Path, guard: int = 0) -> Iterator[Session]:
    """Opens a session on the host, or in the board's emulator. Writes the report, and builds the
    firmware, in `directory`.

    guard: held-out samples to reserve room for on a board.
    """
    if ready.fit is None:
        yield HostSession(ready.compiled.program)
        return
    board = ready.fit.board
    write_compilation(ready.compiled, directory, ready.fit)
    elf = build_firmware(directory, board, directory / "firmware", guard, DEFAULT)
    with (
        Emulator(board, elf) as emulator,
        DeviceSession(emulator, ready.compiled.program.hash) as device,
    ):
        yield device
