"""Ends work on Ctrl-C, SIGTERM and SIGHUP without losing it, and says so in one line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from tinyflash.show.console import tell

# Ctrl-C, a service manager or `kill`, a terminal that is closed.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class SignalInterrupt(KeyboardInterrupt):
    """A signal that ends the process. What cleans up after Ctrl-C cleans up after any of them.

    what: what the line for the user says after the signal's name.
    """

    def __init__(self, number: signal.Signals, what: str = "") -> None:
        super().__init__()
        self.number, self.what = number, what


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise SignalInterrupt(signal.Signals(number))


def _name(number: signal.Signals) -> str:
    return "Ctrl-C" if number is signal.SIGINT else number.name


@contextmanager
def ending() -> Iterator[None]:
    """Turns a signal that ends the process into one line, and the exit code that a shell reports.
    Inside `stopping`, signals are the caller's."""
    with _handling(_interrupt):
        try:
            yield
        except KeyboardInterrupt as end:
            known = end if isinstance(end, SignalInterrupt) else SignalInterrupt(signal.SIGINT)
            tell(f"stopped by {_name(known.number)}{known.what}")
            raise click.exceptions.Exit(128 + known.number) from None


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Adds to the line of a signal that ends the block what that means."""
    try:
        yield
    except SignalInterrupt as end:
        raise SignalInterrupt(end.number, what) from None


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
        return _name(self._signal)

    @property
    def exit_code(self) -> int:
        """The exit code of a process that a signal ended, as a shell reports it."""
        assert self._signal is not None
        return 128 + self._signal


@contextmanager
def stopping() -> Iterator[Stop]:
    """Takes the signals that would end the process, so that the work ends where it asks."""
    stop = Stop()
    with _handling(stop.ask):
        yield stop


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Takes the signals that would end the process, except those that it ignores already, as after
    nohup. In other threads than the main one, which cannot take signals, none."""
    mine = _SIGNALS if threading.current_thread() is threading.main_thread() else []
    before = {s: signal.getsignal(s) for s in mine}
    taken = [s for s, old in before.items() if old is not signal.SIG_IGN]
    try:
        for number in taken:
            signal.signal(number, handler)
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)
