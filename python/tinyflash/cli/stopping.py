"""Ends work on Ctrl-C and on SIGTERM without losing it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, a service manager or `kill`, a terminal that is closed.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stop:
    """Whether the work should end: call it between two pieces of work, so that none is torn, and
    no frame to a board. Only the first signal counts: more of them cannot harm what is being
    saved."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None

    def __call__(self) -> bool:
        return self._signal is not None

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        """Asks for the end, as a handler of signals. Prints nothing: the signal may have come while
        something is printed."""
        self._signal = self._signal or signal.Signals(number)

    @property
    def reason(self) -> str:
        """The name of the signal."""
        assert self._signal is not None
        return "Ctrl-C" if self._signal is signal.SIGINT else self._signal.name

    @property
    def exit_code(self) -> int:
        """The exit code of a process that a signal ended, as a shell reports it."""
        assert self._signal is not None
        return 128 + self._signal


@contextmanager
def stopping() -> Iterator[Stop]:
    """Takes the signals that would end the process, except those that it ignores already, as after
    nohup. In other threads than the main one, which cannot take signals, none."""
    stop = Stop()
    mine = _SIGNALS if threading.current_thread() is threading.main_thread() else []
    before = {s: signal.getsignal(s) for s in mine}
    taken = [s for s, handler in before.items() if handler is not signal.SIG_IGN]
    try:
        for number in taken:
            signal.signal(number, stop.ask)
        yield stop
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)
