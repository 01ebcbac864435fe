"""Reads a user's files, of bounded size, and writes files atomically: a reader sees the old file or
the whole new one."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tinyflash.errors import DataError


def read_bytes(path: Path, limit: int, offset: int = 0, *, cut: bool = False) -> bytes:
    """Returns the content of a regular file from `offset` on. limit: in bytes. cut: omits the bytes
    beyond the limit. Raises OSError, with the reason in strerror, if the file is not regular or,
    without cut, too long.

    Only regular files: a device may never end, and even opening a pipe may block.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(limit + (not cut))
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes")
    return content


def to_write(path: Path) -> Path:
    """Returns `path` with links resolved. Raises DataError if no file can be written there."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a regular file; choose another file name")
    to_fill(path.parent)
    return path


def to_fill(folder: Path) -> Path:
    """Returns `folder`. Raises DataError if it is not a folder and cannot be created as one."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return folder
        if place.exists():
            raise DataError(f"{place} is not a folder; choose another folder")
    return folder


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are of the same file, through links too, whether it exists or not."""
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return one.resolve() == other.resolve()


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Lets `write` fill a temporary file next to `path`, then renames it. Creates the folder."""
    path = to_write(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        umask = os.umask(0)  # mkstemp makes a private file: set the usual permissions
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` as the whole file, atomically."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)


def write_json(path: Path, content: object) -> None:
    """Writes indented JSON, atomically."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def cache_dir() -> Path:
    """Returns the folder for files that can be made or fetched again: TINYFLASH_CACHE, or tinyflash
    in the user's cache directory."""
    chosen = os.environ.get("TINYFLASH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyflash"
