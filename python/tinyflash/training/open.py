"""Opens a session for a compiled model: here, on an emulated board, or on a serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinyflash import files
from tinyflash.boards import Board
from tinyflash.boards.emulator import Emulator
from tinyflash.boards.firmware import IMAGE, build_firmware, firmware_size, region_use
from tinyflash.boards.fits import Fit, check_fits
from tinyflash.boards.named import DEFAULT, models
from tinyflash.boards.stale import check_image, file_hash, name_for
from tinyflash.compiler import Compiled
from tinyflash.errors import BoardError, BuildError
from tinyflash.program import Program
from tinyflash.runtime.device import DeviceSession
from tinyflash.runtime.device.rate import HIGHER
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import learned_hash
from tinyflash.runtime.session import Session
from tinyflash.show.console import tell
from tinyflash.show.report import add_image, compilation, write_compilation
from tinyflash.training.front_end import RECORD


def prepared_files(directory: Path | None = None) -> tuple[str, ...]:
    """Returns the files of a training run on a board, except what it learned. directory: one that
    may hold models under other names already."""
    names = (DEFAULT, *(models(directory) if directory else ()))
    return (*dict.fromkeys(file for name in names for file in compilation(name)), *IMAGE)


@dataclass(frozen=True)
class Ready:
    """A compiled model, and the board memory it takes. None: it runs on the host."""

    compiled: Compiled
    fit: Fit | None = None

    @property
    def hash(self) -> str:
        """The model's hash, as reports have it."""
        return f"{self.compiled.program.hash:08x}"

    @staticmethod
    def of(compiled: Compiled, board: Board | None = None, replay: int = 0) -> Ready:
        """Checks the model against the board, with a replay buffer of `replay` samples of each
        class. Raises BoardError if it is too large."""
        return Ready(compiled, None if board is None else check_fits(compiled, board, replay))


def settle(ready: Ready, directory: Path) -> None:
    """Prepares a folder for what this model learns: what belongs to another model goes.

    What that one has learned is kept under another name. Of its compilation, which can be made
    again, nothing stays: a session on the host, which needs no compilation, writes its own in its
    place.
    """
    mine, there = ready.hash, learned_hash(directory / "learned.npz")
    if there not in (None, mine):
        for path in (directory / "learned.npz", directory / RECORD):
            if path.is_file():
                tell(f"{path}, of model {there}, is now {files.keep_old(path).name}")
    name = name_for(directory, mine)
    before = file_hash(directory / f"{name}.h")
    if ready.fit is None and before not in (None, mine):
        tell(f"{directory} was compiled for model {before}; it now has model {mine}")
        write_compilation(ready.compiled, directory, None, name=name)
        _remove_stale_image(directory)


def _remove_stale_image(directory: Path) -> None:
    elf = directory / "firmware.elf"
    try:
        if elf.is_file():
            check_image(elf, None)
    except BuildError:
        for name in IMAGE:
            (directory / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Running:
    """A board that runs already, behind a serial port: what DeviceSession takes."""

    port: str
    pairing_key: bytes | None = None
    most_baud: int = HIGHER[0]

    def open(self, program: Program | None = None) -> DeviceSession:
        """Opens a session. Says which rates the line does not carry."""
        device = DeviceSession(self.port, program, self.pairing_key, self.most_baud)
        if device.failed_rates:
            failed = ", ".join(f"{rate:,}" for rate in device.failed_rates)
            tell(
                f"the line to {self.port} does not carry {failed} baud; it runs at "
                f"{device.baud:,}; --baud {device.baud} leaves out the trial"
            )
        return device


@contextmanager
def open_session(
    ready: Ready,
    directory: Path,
    guard: int = 0,
    running: Running | None = None,
    stores: bool = False,
    replay: int = 0,
    collect: int = 0,
) -> Iterator[Session]:
    """Opens a session on the host, in the board's emulator, or on a board that runs already.

    guard: held-out samples to reserve room for in an emulator; a board that runs has its own.
    replay: samples of each class, likewise. stores: an emulated board can save, in its flash in
    `directory`. collect: bytes of the ring for frames of its sensor, whose recording is in
    `directory`; 0: it has none. For an emulator only, writes the report and builds the firmware in
    `directory`.
    """
    if running is not None:
        with running.open(ready.compiled.program) as device:
            if ready.fit is not None:
                _check_board(device, ready.fit.board)
            yield device
    elif ready.fit is None:
        yield HostSession(ready.compiled.program)
    else:
        board, name = ready.fit.board, name_for(directory, ready.hash)
        write_compilation(ready.compiled, directory, ready.fit, name=name)
        elf = build_firmware(
            directory, board, directory, guard, name, replay=replay, collect=collect
        )
        add_image(directory, board, firmware_size(elf), name, region_use(elf, board))
        with (
            Emulator(
                board,
                elf,
                flash=directory if stores else None,
                sensor=directory if collect else None,
            ) as emulator,
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
