"""Debug probes, by pyOCD, which is optional: finds them, and opens a session with a chip."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tinyflash.boards.description import Board
from tinyflash.errors import BoardError, BuildError, printable
from tinyflash.paths import how_to_install

PYOCD = "pyocd"
ANY_CHIP = "cortex_m"  # pyOCD's name for a chip of which only the core is known
_OPTIONS = {
    "no_config": True,  # a pyocd.yaml of the current folder changes nothing
    "auto_unlock": False,  # which erases a locked chip, with what the board saved
    "chip_erase": "sector",
    "keep_unwritten": False,
    "cache.enable_memory": False,  # so that what is read comes from the chip
    "warning.cortex_m_default": False,
}


def pyocd() -> SimpleNamespace:
    """Returns what is used of pyOCD. Raises BuildError if it is missing."""
    try:
        from pyocd.core import exceptions
        from pyocd.core.helpers import ConnectHelper
        from pyocd.core.session import Session
        from pyocd.flash.loader import MemoryLoader
    except ImportError as error:
        raise BuildError(
            f"flashing by a debug probe needs pyOCD; run: {how_to_install(PYOCD)}, or write the "
            "image with --format for your own tool"
        ) from error
    return SimpleNamespace(
        errors=exceptions, find=ConnectHelper, session=Session, loader=MemoryLoader
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, pyOCD logs nothing: its errors come as exceptions."""
    log = logging.getLogger(PYOCD)
    before = log.level, log.propagate
    log.setLevel(logging.CRITICAL + 1)
    log.propagate = False
    try:
        yield
    finally:
        log.setLevel(before[0])
        log.propagate = before[1]


def connected(ocd: SimpleNamespace) -> list[Any]:
    """Returns pyOCD's probes that are plugged in. What a driver of a probe raises is raised."""
    with quiet():
        found: list[Any] = ocd.find.get_all_connected_probes(blocking=False)
    return found


def probes() -> tuple[tuple[str, str], ...]:
    """Returns ID and description of each debug probe; none if they cannot be listed."""
    with suppress(Exception):
        return tuple((str(one.unique_id), str(one.description)) for one in connected(pyocd()))
    return ()


def choose(ocd: SimpleNamespace, board: Board, part: str | None) -> Any:
    """Returns the only probe, or the only one whose ID has this part. Raises BoardError."""
    try:
        found = connected(ocd)
    except Exception as error:  # of pyOCD and of the drivers of probes
        raise BoardError(f"debug probes cannot be listed: {one_line(error)}") from error
    chosen = [one for one in found if (part or "").lower() in one.unique_id.lower()]
    exact = [one for one in found if one.unique_id == part]
    if len(exact or chosen) == 1:
        return (exact or chosen)[0]
    names = ", ".join(f"{one.unique_id} ({printable(one.description)})" for one in chosen or found)
    if not found:
        raise BoardError(f"no debug probe is connected; plug in {board.name}, {_how(board)}")
    if not chosen:
        raise BoardError(f"no debug probe has {printable(part or '')!r} in its ID, only: {names}")
    raise BoardError(f"several debug probes are connected; choose one with --probe: {names}")


def _how(board: Board) -> str:
    """How a probe is connected; on Linux, also what lets a user see it."""
    vendors = "|".join(dict.fromkeys(number.split(":")[0] for number in board.usb))
    port = "by the USB port of its debugger"
    if board.uf2_family is not None:
        port += ", or use --drive"
    if sys.platform != "linux" or not vendors:
        return port
    return (
        f"{port}; if it is plugged in, allow every user by a file /etc/udev/rules.d/60-probe.rules "
        f'with the line SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendors}", MODE="0666", then plug it '
        "in again"
    )


@contextmanager
def opened(
    ocd: SimpleNamespace, probe: Any, target: str, pack: str | None = None, **more: Any
) -> Iterator[Any]:
    """A session with a chip, halted unless `more` says otherwise. pack: the folder of its pack.

    Its project folder is empty, so that pyOCD runs no script of the current one.
    """
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as empty:
        options = {**_OPTIONS, "target_override": target, "project_dir": empty, **more}
        if pack is not None:
            options["pack"] = pack
        try:
            session = ocd.session(probe, options=options)
        finally:
            os.chdir(here)  # pyOCD changes to the project's
    with session:
        yield session


def one_line(error: Exception) -> str:
    """Returns what an exception of pyOCD says."""
    return " ".join(str(error).split()) or type(error).__name__
