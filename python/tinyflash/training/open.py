"""Opens a session for a compiled model: here, on an emulated board, or on a serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinyflash import files
from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import IMAGE, build_firmware, firmware_size
from tinyflash.boards.fits import Fit, check_fits
from tinyflash.boards.stale import model_hash
from tinyflash.compiler import Compiled
from tinyflash.errors import BoardError
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import learned_hash
from tinyflash.runtime.session import Session
from tinyflash.show.console import say
from tinyflash.show.report import COMPILATION, add_image, write_compilation

# The files of a training run on a board, except what it learned.
PREPARED = (*COMPILATION, *IMAGE)


@dataclass(frozen=True)
class Ready:
    """A compiled model, and the board memory it takes. None: it runs on the host."""

    compiled: Compiled
    fit: Fit | None = None

    @staticmethod
    def of(compiled: Compiled, board: Board | None = None) -> Ready:
        """Checks the model against the board. Raises BoardError if it is too large."""
        return Ready(compiled, None if board is None else check_fits(compiled, board))


def settle(ready: Ready, directory: Path) -> None:
    """Prepares a folder for what this model learns: what belongs to another model goes.

    What that one has learned is kept under another name. Of its compilation, which can be made
    again, nothing stays: a session on the host, which needs no compilation, writes its own in its
    place.
    """
    program = ready.compiled.program
    mine = f"{program.hash:08x}"
    there = learned_hash(directory / "learned.npz")
    if there not in (None, mine):
        for path in (directory / "learned.npz", directory / "training.json"):
            if path.is_file():
                say(f"{path}, of model {there}, is now {files.keep_old(path).name}")
    if ready.fit is None and model_hash(directory) not in (None, mine):
        say(f"{directory} was compiled for model {model_hash(directory)}; it now has model {mine}")
        for name in IMAGE:
            (directory / name).unlink(missing_ok=True)
        write_compilation(ready.compiled, directory, None)


@contextmanager
def open_session(
    ready: Ready, directory: Path, guard: int = 0, port: str | None = None
) -> Iterator[Session]:
    """Opens a session on the host, in the board's emulator, or on a board that runs already.

    guard: held-out samples to reserve room for in an emulator; a board that runs has its own. port:
    of that board. For an emulator only, writes the report and builds the firmware in `directory`.
    """
    if port is not None:
        with DeviceSession(port, ready.compiled.program) as device:
            if ready.fit is not None:
                _check_board(device, ready.fit.board)
            yield device
    elif ready.fit is None:
        yield HostSession(ready.compiled.program)
    else:
        board = ready.fit.board
        write_compilation(ready.compiled, directory, ready.fit)
        elf = build_firmware(directory, board, directory, guard=guard)
        add_image(directory, board, firmware_size(elf))
        with (
            Emulator(board, elf) as emulator,
            DeviceSession(emulator, ready.compiled.program) as device,
        ):
            _check_board(device, board)
            yield device


def _check_board(device: DeviceSession, board: Board) -> None:
    """Raises BoardError if the firmware was built for another board than the one described."""
    if device.info.board != board.name:
        raise BoardError(
            f"the firmware on the line was built for board {device.info.board!r}, not "
            f"{board.name!r}; name that board, or build and flash for this one"
        )
