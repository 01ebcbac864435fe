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
    size = path.stat().st_size
    if size <= limit:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            size = sum(member.file_size for member in loaded.zip.infolist())
            if size <= limit:
                return dict(loaded)
    raise DataError(f"{path} holds {size:,} bytes of numbers; up to {limit:,} are read")
