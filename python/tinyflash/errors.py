"""Errors and warnings for users: one class per cause; one line each: what, where, what to do."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

_LISTED = 40
_LONGEST = 900


class TinyflashError(Exception):
    """Base class. The command line prints it as one line and exits with 1."""


class ModelError(TinyflashError):
    """A model file is missing, damaged, or contains something unsupported."""


class SchemeError(TinyflashError):
    """A training scheme does not fit the model, or is not a scheme."""


class DataError(TinyflashError):
    """Samples or labels have the wrong shape, type or range."""


class BoardError(TinyflashError):
    """A board is unknown, or too small for the model."""


class BuildError(TinyflashError):
    """A tool is missing, or a build failed."""


class LinkError(TinyflashError):
    """A device does not answer, answers nonsense, or is not the expected one."""


class InternalError(TinyflashError):
    """An internal check failed: a bug in tinyflash, found before it could do harm."""


class TinyflashWarning(UserWarning):
    """The work goes on, but its numbers will disappoint. The command line prints it as one line."""


class TinyflashNotice(TinyflashWarning):
    """Nothing is wrong, but the user may not expect it. The command line prints it as one line."""


def note(text: str) -> None:
    """Tells the user what is so, in one line."""
    warnings.warn(text, TinyflashNotice, stacklevel=2)


def warn(text: str) -> None:
    """Warns the user: what, where, what to do, in one line."""
    warnings.warn(text, TinyflashWarning, stacklevel=2)


def printable(text: str) -> str:
    """Returns at most 60 printable characters of text that comes from a file."""
    return "".join(c for c in text[:60] if c.isprintable())


def shortened(text: str) -> str:
    """Returns a message, cut if it is too long, as when it quotes a list of thousands."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def listed(names: Sequence[str]) -> str:
    """Returns names for a message, only the first few."""
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
