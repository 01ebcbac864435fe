"""Windows of a stream, as its frames come: the same that `data.windows.cut` finds afterwards."""

from __future__ import annotations

import numpy as np

from tinyflash.arrays import Numbers
from tinyflash.errors import DataError


class WindowStream:
    """Cuts windows of `window` frames, `hop` frames from one start to the next. A gap begins anew,
    so that no window reaches across it."""

    def __init__(self, window: int, hop: int) -> None:
        if window < 1 or hop < 1:
            raise DataError(f"a window of {window} frames, every {hop}: both must be at least 1")
        self._window, self._hop = window, hop
        self._frames: Numbers | None = None  # that no window begins before
        self._skip = 0  # of the frames to come, before the next window begins
        self._next = -1  # number of the next frame
        self.count = 0

    def push(self, first: int, frames: Numbers) -> list[Numbers]:
        """Returns the windows [window, *frame] that end with these frames, of which `first` is the
        number of the first."""
        if first != self._next or self._frames is None:
            self._frames, self._skip = frames[:0], 0
        self._next = first + len(frames)
        skipped = min(self._skip, len(frames))
        self._skip -= skipped
        self._frames = np.concatenate([self._frames, frames[skipped:]])
        found = []
        while len(self._frames) >= self._window:
            found.append(self._frames[: self._window].copy())
            self._skip = max(0, self._hop - len(self._frames))
            self._frames = self._frames[self._hop :]
        self.count += len(found)
        return found
