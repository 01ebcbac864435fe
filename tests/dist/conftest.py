"""The products of `scons dist`, made once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.dist import make_command

from tinyflash.dist.ways import WAYS, make


@pytest.fixture(scope="session")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each product."""
    base = tmp_path_factory.mktemp("dist")
    for way in WAYS:
        make(way, base)
    return base


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the command tinyflash, for the PATH."""
    return make_command(tmp_path_factory.mktemp("command"))
