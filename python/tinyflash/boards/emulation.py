"""A process that emulates a board: how it starts, ends, and what it says about that."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tinyflash.boards.description import Board
from tinyflash.errors import BoardError, BuildError

_CHATTER = ("waiting for connection", "warning: nic")  # what QEMU prints when nothing is wrong


class Emulation:
    """What the emulators share: a context manager, whose end kills the process.

    url: of the board's serial line. counted: the board's clock counts instructions.
    """

    counted = False

    def __init__(self, board: Board, elf: Path) -> None:
        self.board, self.elf = board, elf
        self._process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        raise NotImplementedError

    def _check_image(self) -> None:
        if not self.elf.is_file():
            raise BuildError(f"{self.elf} is missing; run tinyflash build")

    def _start(
        self,
        command: Sequence[str],
        port: int,
        folder: Path | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        """Starts the process, in a folder, with file descriptors that it inherits; its serial line
        is on a local TCP port. Raises BoardError on Windows, where none inherits descriptors."""
        if os.name == "nt":
            raise BoardError(
                "emulated boards need Linux or macOS; name the serial port of a board with --port"
            )
        self.url = f"socket://127.0.0.1:{port}"
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (kill() closes it)
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C is for Python, which may want the board's weights
            preexec_fn=_die_with_parent,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """Kills the process at once; harmless if it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._words is not None:
            self._words.close()
        self._process = self._words = None

    @property
    def pid(self) -> int | None:
        """The process id; None if it does not run."""
        return None if self._process is None else self._process.pid

    def why_dead(self) -> str | None:
        """Returns what ended the emulator, as one line; None while it runs."""
        if self._process is None:
            return "the emulator is not running"
        code = self._process.poll()
        if code is None:
            return None
        return f"the emulator {self._ending(code)} in the middle of the work{self._last_words()}"

    @staticmethod
    def _ending(code: int) -> str:
        return ending(code)

    def _last_words(self) -> str:
        assert self._words is not None
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if not any(word in line for word in _CHATTER)]
        return f": {said[-1]}" if said else ""


def ending(code: int) -> str:
    """Returns how a process ended, from its exit status."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"


def _die_with_parent() -> None:
    """Runs in the child: makes it die with this Python process, even if that is killed. Linux
    only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
