"""Keys that are pressed while a command runs, each at once and without an echo."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressed() -> Iterator[Callable[[], str]]:
    """Yields a function that returns the characters typed since its last call. Without a terminal,
    and on systems without termios, nothing is ever typed. Ctrl-C stays a signal."""
    try:
        import termios
        import tty

        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
    except (ImportError, OSError, ValueError, AttributeError):
        yield lambda: ""
        return
    except Exception:  # termios.error, which is not an OSError: no terminal
        yield lambda: ""
        return
    try:
        tty.setcbreak(handle)
        yield lambda: _typed(handle)
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _typed(handle: int) -> str:
    ready, _, _ = select.select([handle], [], [], 0)
    return os.read(handle, 64).decode(errors="ignore") if ready else ""
