"""What a person presses on the page: bounded, and in the order in which it came."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

MOST = 32  # presses that wait; more than that is no person
LONGEST = 200  # bytes of a request's body


@dataclass(frozen=True)
class Press:
    """label: a class for the newest window. answer: to a question. One of both is None. asked: the
    number of the question that the page showed, 0 without one. So a second click, and an answer
    that comes too late, decide nothing that their person has not seen."""

    label: int | None
    answer: bool | None
    asked: int


def press_of(body: bytes) -> Press | None:
    """Returns what a request's body says: {"label": 2, "asked": 0} or {"answer": true, "asked": 5}.
    None: something else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    asked, label, answer = (found.pop(name, None) for name in ("asked", "label", "answer"))
    if found or not _is_number(asked) or (label is None) == (answer is None):
        return None
    if label is None:
        return Press(None, answer, asked) if isinstance(answer, bool) else None
    return Press(label, None, asked) if _is_number(label) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


class Presses:
    """From a browser's thread to the command's. `classes` labels are taken; 0: none of all this."""

    def __init__(self) -> None:
        self.classes = 0
        self._waiting: list[Press] = []
        self._lock = threading.Lock()

    def knows(self, press: Press) -> bool:
        """Whether there is such a class."""
        return press.label is None or press.label < self.classes

    def put(self, press: Press) -> bool:
        """Returns False if too many wait already."""
        with self._lock:
            if len(self._waiting) >= MOST:
                return False
            self._waiting.append(press)
            return True

    def take(self) -> list[Press]:
        """Returns what has come since the last call."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return taken
