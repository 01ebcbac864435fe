"""Finds the C sources, in the checkout or in the installed package, and the Python that runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tinyflash.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def how_to_install(*packages: str) -> str:
    """Returns the command that installs packages for the Python that runs this."""
    return f"{shlex.quote(sys.executable)} -m pip install {' '.join(packages)}"


def source_root() -> Path:
    """Returns the folder with SConstruct, include/, lib/, firmware/ and boards/.

    An installed package brings its own: the folder around it may be a project of the user.
    """
    for candidate in (_PACKAGE / "_sources", _PACKAGE.parents[1]):
        if (candidate / "SConstruct").is_file() and (candidate / "boards").is_dir():
            return candidate
    raise InternalError(f"the C sources are missing next to {_PACKAGE}; reinstall tinyflash")
