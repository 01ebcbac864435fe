"""Where the C sources are: in the checkout, or packed into the installed package."""

from __future__ import annotations

from pathlib import Path

from tinyflash.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def source_root() -> Path:
    """The folder that holds SConstruct, include/, lib/, firmware/ and boards/."""
    for candidate in (_PACKAGE.parents[1], _PACKAGE / "_sources"):
        if (candidate / "SConstruct").is_file() and (candidate / "boards").is_dir():
            return candidate
    raise InternalError(f"the C sources are missing beside {_PACKAGE}; install tinyflash again")
