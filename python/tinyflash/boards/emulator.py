"""Runs a board in QEMU: starts a firmware image, and connects to it over a serial line."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

from tinyflash import files
from tinyflash.boards import toolchain
from tinyflash.boards.description import Board, Qemu
from tinyflash.boards.emulation import Emulation, ending
from tinyflash.errors import BoardError, warn

SENSOR = "sensor.bin"  # of boards/parts/sensor_file; boards/replay.py writes it
FLASH = "flash.bin"  # of boards/parts/flash_file
_POWER_CUT = 72  # BOARD_EXIT_POWER_CUT of boards/board.h
_NO_FAULTS: Mapping[str, int] = MappingProxyType({})
_NO_ESCAPE = "256"  # no byte has this value, so every byte reaches the board


class Emulator(Emulation):
    """QEMU as a context manager: runs inside the block, killed at its end.

    counted: a tick of the board's clock is a fixed number of instructions, so every run takes the
    same number of ticks (Board.qemu.ticks_per_instruction); about five times slower.

    flash: the folder of the file that is the board's flash, FLASH, made when it is absent: what the
    board saves is there after the end of the emulator. None: its firmware finds no flash. faults:
    how that flash fails, by the names in boards/parts/flash_file. sensor: the folder of the
    recording that is the board's sensor, SENSOR; the folder of the flash, if there are both.
    options: more options of QEMU.
    """

    def __init__(
        self,
        board: Board,
        elf: Path,
        counted: bool = False,
        flash: Path | None = None,
        faults: Mapping[str, int] = _NO_FAULTS,
        options: Sequence[str] = (),
        sensor: Path | None = None,
    ) -> None:
        super().__init__(board, elf)
        self.counted = counted
        self._arguments = {"flash": int(flash is not None), **faults}
        if sensor is not None:
            self._arguments["sensor"] = 1
        self._options = options
        self._qemu = _emulation(board)
        self._check_image()
        self._folder = sensor if flash is None else _with_flash(flash, board)
        if sensor not in (None, self._folder):
            raise BoardError(
                f"the sensor's file must be in the folder of the flash, {self._folder}"
            )

    def __enter__(self) -> Self:
        # QEMU inherits a listening socket, so no other process can take the port in between.
        with socket.create_server(("127.0.0.1", 0)) as server:
            command = _command(self.board, self._qemu, self.elf, self.counted, self._arguments)
            command += [*_serial(server.fileno()), *self._options]
            self._start(command, server.getsockname()[1], self._folder, (server.fileno(),))
        return self

    @staticmethod
    def _ending(code: int) -> str:
        return "lost its power" if code == _POWER_CUT else ending(code)


def _emulation(board: Board) -> Qemu:
    if board.qemu is None:
        raise BoardError(f"board {board.name} is not emulated; name its serial port with --port")
    absent = board.cross.missing_emulator()
    if absent:
        how = toolchain.install_command(absent, toolchain.package_manager())
        raise BoardError(f"{absent[0].name} is missing; install with: {how}")
    return board.qemu


def _with_flash(folder: Path, board: Board) -> Path:
    """Returns the folder with the file that is the board's flash. Makes the file if it is absent:
    erased. One of another size is of another board, and is kept under another name."""
    if board.store is None:
        raise BoardError(f"board {board.name} has no flash to save to ([store] in its board.toml)")
    path, size = folder / FLASH, board.store.size
    try:
        if path.exists() and path.stat().st_size != size:
            kept = files.keep_old(path).name
            warn(f"{path} was the flash of another board than {board.name}; it is now {kept}")
        if not path.exists():
            files.write_bytes(path, b"\xff" * size)
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from error
    return folder


def _command(
    board: Board, qemu: Qemu, elf: Path, counted: bool, numbers: Mapping[str, int]
) -> list[str]:
    named = (f"{name}={number}" for name, number in numbers.items())
    arguments = ",".join(f"arg={text}" for text in ("firmware", *named))
    fixed = ["-display", "none", "-monitor", "none", "-nodefaults"]
    fixed += ["-semihosting-config", f"enable=on,target=native,{arguments}"]
    clock = ["-icount", f"shift={qemu.icount_shift}"] if counted else []
    image = str(elf.absolute())
    return [*board.cross.emulator, "-machine", qemu.machine, *fixed, *clock, "-kernel", image]


def _serial(server: int) -> Sequence[str]:
    """Returns the QEMU options of a serial line on a listening socket. The multiplexer's buffer of
    32 bytes makes it five times faster, since the emulated UARTs buffer only one byte."""
    options = f"socket,id=line,fd={server},server=on,wait=on,nodelay=on,mux=on"
    return ["-chardev", options, "-serial", "chardev:line", "-echr", _NO_ESCAPE]
