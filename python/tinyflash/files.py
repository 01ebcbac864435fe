"""Reads a user's files, of bounded size, and writes files atomically: a reader sees the old file or
the whole new one."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from tinyflash.errors import DataError

_BLOCK = 4096  # bytes written to see whether a disk is full
_DAY_S = 24 * 3600
_DAYS = 14  # what a cache has and nothing took for so long is deleted
_ATTEMPTS = 10  # to make a file in a new folder that other processes may remove

T = TypeVar("T")


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
    """Returns `path` with links resolved, relative to the current folder if it was. Raises
    DataError if no file can be written there: tries it, and leaves nothing behind."""
    target = _regular(path)
    _try_to_write(target)
    here = Path.cwd()
    if not path.is_absolute() and target.is_relative_to(here):
        return target.relative_to(here)
    return target


def to_fill(folder: Path, names: Sequence[str]) -> Path:
    """Returns `folder`. Raises DataError if no files can be written there.

    names: of the files, relative to `folder`. Where one is a folder, no file can be written.
    """
    paths = [_regular(folder / name) for name in names]
    for one in {path.parent: path for path in reversed(paths)}.values():  # the first of each
        _try_to_write(one)
    return folder


def _regular(path: Path) -> Path:
    """Returns `path` with links resolved. Raises DataError if something else is in its way."""
    try:
        path = path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise DataError(f"{path} cannot be written: {error}; choose another") from error
    mode = _mode(path)
    if mode and not stat.S_ISREG(mode):
        raise DataError(f"{path} is not a regular file; choose another file name")
    there, mode = next((place, mode) for place in path.parents if (mode := _mode(place)))
    if not stat.S_ISDIR(mode):
        raise DataError(f"{there} is not a folder; choose another folder")
    return path


def _mode(path: Path) -> int:
    """What a path is, for the functions of `stat`; asked once, because another process may make or
    remove it meanwhile. 0 where nothing is, where the name is too long or must not be looked at: an
    attempt to write there says so."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _try_to_write(path: Path) -> None:
    """Writes a block next to `path`, and removes it, with the folders made for it."""
    made = [place for place in path.parents if not _mode(place)]
    try:
        _in_folder(path, lambda: _temporary(path, bytes(_BLOCK))).unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        for place in made:
            with suppress(OSError):  # not made after all, or filled by another process
                place.rmdir()


def _unwritable(
    path: Path, error: OSError, then: str = "the file that was there is unchanged"
) -> DataError:
    """Returns the one line: which file, why, what to do. then: what has become of the old file."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "free some space there, or choose" if full else "choose"
    kept = f"; {then}" if _mode(path) else ""
    return DataError(f"{path} cannot be written: {error.strerror or error}{kept}; {advice} another")


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are of the same file, through links too, whether it exists or not."""
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return one.resolve() == other.resolve()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` as the whole file: to a temporary file next to `path`, which it then
    renames. Creates the folder. Raises DataError if that fails; the old file is then unchanged."""
    path = _regular(path)
    try:
        temporary = _in_folder(path, lambda: _temporary(path, content))
        try:
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes as the whole file what `write` fills a buffer with, as `write_bytes` does."""
    buffer = BytesIO()
    write(buffer)
    write_bytes(path, buffer.getvalue())


def _in_folder(path: Path, make: Callable[[], T]) -> T:
    """Makes the folder of `path`, if need be, and returns what `make` makes in it.

    Tries again if the folder is gone in between: another process that tried to write there removes
    the folders that were not there when it began, while they are empty.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError, FileExistsError):  # the latter: it was there, and is gone
            path.parent.mkdir(parents=True, exist_ok=True)
            return make()
    path.parent.mkdir(parents=True, exist_ok=True)
    return make()


def _temporary(path: Path, content: bytes) -> Path:
    """Returns a new file next to `path` that holds `content`, on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # some disks notice only now that they are full
        umask = os.umask(0)  # mkstemp makes a private file: set the usual permissions
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def append_bytes(path: Path, content: bytes) -> None:
    """Appends to a file, which a failure may leave with a part of `content`. Creates the folder.
    Raises DataError."""
    path = _regular(path)
    try:
        with _in_folder(path, lambda: path.open("ab")) as file:
            file.write(content)
    except OSError as error:
        raise _unwritable(path, error, "what was in it is kept") from error


def keep_old(path: Path) -> Path:
    """Renames a file, so that another can take its name: scheme.toml becomes scheme.old.toml, or
    scheme.old2.toml. Returns the new name."""
    old, count = path.with_name(f"{path.stem}.old{path.suffix}"), 1
    while old.exists():
        count += 1
        old = path.with_name(f"{path.stem}.old{count}{path.suffix}")
    return path.rename(old)


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


def forget(folder: Path) -> None:
    """Deletes files in the folders of a cache that nothing has taken for long, by their dates.
    Looks once a day, since there may be tens of thousands."""
    looked, now = folder / "looked", time.time()
    if looked.exists() and now - looked.stat().st_mtime < _DAY_S:
        return
    looked.touch()
    for path in folder.glob("??/*"):
        with suppress(OSError):  # another process was faster
            if path.stat().st_mtime < now - _DAYS * _DAY_S:
                path.unlink()


def toml_value(value: object) -> str:
    """Returns numbers, booleans, texts and lists of them as TOML writes them: as JSON does, except
    one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
