"""One command at a time changes a set: two would each save a list without what the other added."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinyflash.errors import DataError

_TRIES, _PAUSE_S = 5, 0.02  # `is_held` has it for a moment


@contextmanager
def changing(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Holds the lock of a set. The system frees it when the process ends, however that happens.

    new: makes the folder if it is missing, and removes it again if nothing was put there. Without
    new, a missing set is left to what reads it, which says so. Raises DataError if another process
    holds the lock, or the folder cannot be made.
    """
    made = [place for place in (folder, *folder.parents) if new and not place.exists()]
    if not new and not folder.is_dir():
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{folder} cannot be a set's folder ({error.strerror})") from None
    try:
        _take(folder, handle)
        yield
    finally:
        for place in made:
            with suppress(OSError):  # it has something in it
                place.rmdir()
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether a command changes the set in a folder now, as far as the system can tell."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _take(folder: Path, handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # a system without it, as Windows
        return
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        except OSError:
            return  # a file system without locks
        else:
            return
    raise DataError(f"{folder} is being changed by another command; wait until that is done")
