"""Reads untrusted .npy and .npz files, and fits samples to a shape."""

from __future__ import annotations

import math
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


def fitted(samples: Numbers, wanted: tuple[int, ...]) -> Numbers:
    """Returns samples [n][...] as [n][wanted]. Axes of length 1 may be left out: a network that
    reads maps of height 1 takes signals [n][length][channels], one of 1 channel [n][length].

    Raises DataError, with both shapes, if they have another shape.
    """
    if samples.ndim and _leaves_out_ones(samples.shape[1:], wanted):
        return samples.reshape(len(samples), *wanted)
    expected = ", ".join(map(str, ("samples", *wanted)))
    raise DataError(
        f"samples have shape {samples.shape}; the model reads ({expected})"
        f"{_remedy(samples.shape, wanted)}"
    )


def _leaves_out_ones(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether `given` is `wanted` without some of its axes of length 1."""
    taken = 0
    for side in wanted:
        if taken < len(given) and given[taken] == side:
            taken += 1
        elif side != 1:
            return False
    return taken == len(given)


def _remedy(given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Returns what to do if the axes are in another order, were flattened, or the first is
    missing."""
    if _leaves_out_ones(given, wanted):
        return "; give one sample a first axis, too: x[None]"
    if len(given) == 3 and len(wanted) == 2 and given[:0:-1] == wanted:
        return "; swap the last two axes: numpy.moveaxis(x, 1, -1)"
    if len(given) > 2 and _leaves_out_ones((*given[2:], given[1]), wanted):
        return "; put the channels last: numpy.moveaxis(x, 1, -1)"
    if len(given) > 2 and _leaves_out_ones((given[-1], *given[1:-1]), wanted):
        return "; put the channels first: numpy.moveaxis(x, -1, 1)"
    if len(given) == 2 and given[1] == math.prod(wanted):
        axes = ", ".join(map(str, (-1, *wanted)))
        return f"; if they were flattened in this order: x.reshape({axes})"
    return ""
