"""The firmware as a process of this computer."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path


class PipePort:
    """A process on pipes, as the port that a Link wants."""

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin and self.process.stdout
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()

    def read(self, size: int) -> bytes:
        ready, _, _ = select.select([self._from], [], [], 0.05)
        return os.read(self._from, size) if ready else b""

    def write(self, data: bytes) -> int:
        while data:
            data = data[os.write(self._to, data) :]
        return 0

    @property
    def in_waiting(self) -> int:
        return 4096

    def close(self) -> None:
        """Ends the firmware; fails if a sanitizer had something to say."""
        _, complaints = self.process.communicate()
        assert self.process.returncode == 0, complaints.decode()
