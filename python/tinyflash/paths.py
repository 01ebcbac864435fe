"""Finds the C sources, in the checkout or in the installed package, and the Python that runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tinyflash.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def how_to_install(*packages: str) -> str:
    """Returns the command that installs packages for the Python that runs this."""
    python = sys.executable
    quoted = subprocess.list2cmdline([python]) if os.name == "nt" else shlex.quote(python)
    return f"{quoted} -m pip install {' '.join(packages)}"


def is_installed() -> bool:
    """Whether the package is installed with sources of its own, and not run from a checkout."""
    return source_root().parent == _PACKAGE


def source_root() -> Path:
    """Returns the folder with SConstruct, include/, lib/, firmware/ and boards/.

    An installed package brings its own: the folder around it may be a project of the user.
    """
    for candidate in (_PACKAGE / "_sources", _PACKAGE.parents[1]):
        if (candidate / "SConstruct").is_file() and (candidate / "boards").is_dir():
            return candidate
    raise InternalError(f"the C sources are missing next to {_PACKAGE}; reinstall tinyflash")
