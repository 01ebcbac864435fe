"""Errors that a user can act on: one class per cause, one line each: what, where, what to do."""

from __future__ import annotations

from collections.abc import Sequence

_LISTED = 40
_LONGEST = 900


class TinyflashError(Exception):
    """Base of all; the command line prints it as one line and exits with 1."""


class ModelError(TinyflashError):
    """A model file that is missing, damaged, or holds something that is not supported."""


class SchemeError(TinyflashError):
    """A training scheme that does not fit the model, or is not a scheme."""


class DataError(TinyflashError):
    """Samples or labels of the wrong shape, type or range."""


class BoardError(TinyflashError):
    """A board that is not known, or too small for the model."""


class BuildError(TinyflashError):
    """A tool that is missing, or a build that failed."""


class LinkError(TinyflashError):
    """A device that does not answer, answers nonsense, or is not the one expected."""


class InternalError(TinyflashError):
    """A fact that should hold does not: a defect of tinyflash, found before it could do harm."""


def printable(text: str) -> str:
    """At most 60 characters that fit on a line, of text that comes from a file."""
    return "".join(c for c in text[:60] if c.isprintable())


def shortened(text: str) -> str:
    """A message without the end of a list of thousands that it quotes."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def listed(names: Sequence[str]) -> str:
    """Names for a message, as many as a person looks at."""
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
