"""Finds the C sources: in the checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

from tinyflash.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def source_root() -> Path:
    """Returns the folder with SConstruct, include/, lib/, firmware/ and boards/."""
    for candidate in (_PACKAGE.parents[1], _PACKAGE / "_sources"):
        if (candidate / "SConstruct").is_file() and (candidate / "boards").is_dir():
            return candidate
    raise InternalError(f"the C sources are missing next to {_PACKAGE}; reinstall tinyflash")
