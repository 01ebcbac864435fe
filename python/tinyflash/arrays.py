"""Reads untrusted .npy and .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError

Numbers = npt.NDArray[np.generic]
Arrays = Numbers | dict[str, Numbers]


def load_arrays(path: Path, limit: int, expected: str) -> Arrays:
    """Returns the array of a .npy file, or the arrays of an .npz file by name. limit: in bytes.

    expected: what the file should be, for the error message of a damaged one. Raises DataError if
    it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read (it is not a regular file)")
    try:
        return _loaded(path, limit)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        if error.strerror:
            raise DataError(f"{path} cannot be read ({error.strerror})") from None
        raise DataError(f"{path} is not {expected}") from None
    except Exception:  # a damaged file can provoke any of a dozen exceptions
        raise DataError(f"{path} is not {expected}") from None


def _loaded(path: Path, limit: int) -> Arrays:
    """Unpacks an archive only if its declared sizes are within the limit; unpacking stops at these
    sizes."""
    with path.open("rb") as file:  # numpy leaves it open if it is not an archive
        size = path.stat().st_size
        loaded = np.load(file, allow_pickle=False) if size <= limit else None
        if isinstance(loaded, np.ndarray):
            return loaded
        if loaded is not None:
            size = sum(member.file_size for member in loaded.zip.infolist())
        if loaded is not None and size <= limit:
            members = dict(loaded)
            if all(isinstance(member, np.ndarray) for member in members.values()):
                return members
            raise ValueError("a member is not an array")
    raise DataError(f"{path} holds {size:,} bytes of numbers; the limit is {limit:,}")
