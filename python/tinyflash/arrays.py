"""Reading .npy and .npz files that anybody may have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError

Numbers = npt.NDArray[np.generic]
Arrays = Numbers | dict[str, Numbers]


def load_arrays(path: Path, limit: int, expected: str) -> Arrays:
    """The array of a .npy file, or those of an .npz file by name, of at most `limit` bytes.

    expected: what the file should be, for the error line of a damaged one.
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
    """An archive is unpacked only if the sizes it declares, at which unpacking ends, are small."""
    with path.open("rb") as file:  # which numpy leaves open when it is no archive after all
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
            raise ValueError("a member is no array")
    raise DataError(f"{path} holds {size:,} bytes of numbers; up to {limit:,} are read")
