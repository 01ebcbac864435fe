"""Ends commands on Ctrl-C and on SIGTERM: at once, or where the work is not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

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
        return name_of(self._signal)

    @property
    def exit_code(self) -> int:
        assert self._signal is not None
        return exit_code_of(self._signal)


class StoppedError(KeyboardInterrupt):
    """A signal that ends the command, wherever it is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


def name_of(number: signal.Signals) -> str:
    return "Ctrl-C" if number is signal.SIGINT else number.name


def exit_code_of(number: signal.Signals) -> int:
    """Returns the exit code of a process that a signal ended, as a shell reports it."""
    return 128 + number


@contextmanager
def ending() -> Iterator[None]:
    """Turns each signal that would end the process into a StoppedError: emulators, processes and
    temporary files go as after Ctrl-C. A second signal ends the process at once."""
    taken = _taken()

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for other in taken:
            signal.signal(other, signal.SIG_DFL)
        raise StoppedError(number)

    with _handled_by(stop, taken):
        yield


@contextmanager
def stopping() -> Iterator[Stop]:
    """Takes the signals that would end the process, except those that it ignores already, as after
    nohup. In other threads than the main one, which cannot take signals, none."""
    stop = Stop()
    with _handled_by(stop.ask, _taken()):
        yield stop


def _taken() -> list[signal.Signals]:
    mine = _SIGNALS if threading.current_thread() is threading.main_thread() else []
    return [number for number in mine if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], object], taken: list[signal.Signals]
) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in taken}
    try:
        for number in taken:
            signal.signal(number, handler)
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)
