"""Reads numbers from an untrusted pickle of arrays or of old pandas DataFrames, without pandas.

A pickle is a program that may call anything it names. Here it can name only the entries of ALLOWED:
stand-ins that store their arguments. This runs no pandas code, and from numpy only arrays of
numbers made from bytes.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError

Numbers = npt.NDArray[np.generic]
Frame = Mapping[str, Numbers]


class _Holder:
    """Stands in for a pandas object: keeps the given state."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Frame(_Holder):
    """DataFrame."""


class _Blocks(_Holder):
    """BlockManager: columns of one type are in one array."""


class _Type:
    """numpy.dtype, of numbers or objects."""

    def __init__(self, code: str, align: object, copy: object) -> None:
        if code not in ("i8", "f8", "f4", "i4", "O8"):
            raise pickle.UnpicklingError(f"arrays of {code}")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if self.code != "O8" and state[1] != "<":
            raise pickle.UnpicklingError("arrays of another byte order")


class _Array:
    """numpy.ndarray: numbers from bytes, or a list of objects."""

    values: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        if kind.code == "O8":
            self.values = data
            return
        flat = np.frombuffer(data, f"<{kind.code}")
        self.values = flat.reshape(shape, order="F" if by_columns else "C")


@dataclass(frozen=True)
class _Index:
    """pandas' labels of rows or columns."""

    data: Any


def _new_index(_: object, state: Mapping[str, Any]) -> _Index:
    return _Index(state.get("data"))


def _new_array(*_: object) -> _Array:
    return _Array()


def _new_object(kind: type[_Holder], *_: object) -> _Holder:
    if kind not in (_Frame, _Blocks):
        raise pickle.UnpicklingError("an object of another kind")
    return kind()


def _latin1(text: str, coding: str) -> bytes:
    """Decodes bytes as pickles of protocol 2 store them."""
    if coding != "latin1":
        raise pickle.UnpicklingError(f"text coded as {coding}")
    return text.encode("latin1")


def _nothing() -> None:
    """Stands in for names that are only passed on."""


ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("copy_reg", "_reconstructor"): _new_object,
    ("__builtin__", "object"): _nothing,
    ("__builtin__", "slice"): slice,
    ("_codecs", "encode"): _latin1,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _nothing,
    ("numpy.core.multiarray", "_reconstruct"): _new_array,
    ("pandas.core.frame", "DataFrame"): _Frame,
    ("pandas.core.indexes.base", "Index"): _nothing,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.range", "RangeIndex"): _nothing,
    ("pandas.core.internals.managers", "BlockManager"): _Blocks,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError("references to outside are not allowed")


def read_frames(content: bytes, where: str) -> Mapping[int, list[Frame]]:
    """Reads a pickled dictionary of lists of DataFrames of numbers. Returns each frame as columns
    by name."""
    try:
        table = _Reader(BytesIO(content)).load()
        return {int(key): [_columns(frame) for frame in frames] for key, frames in table.items()}
    except Exception as error:  # a damaged pickle can provoke any exception
        raise DataError(f"{where}: the tables cannot be read ({error}); fetch it again") from error


def read_arrays(content: bytes, where: str) -> Mapping[str, list[Numbers]]:
    """Reads a pickled dictionary, in an array of one object, whose values are arrays or lists of
    arrays of numbers. Leaves out lists of other things."""
    try:
        (table,) = _Reader(BytesIO(content)).load().values
        return {str(key): _arrays(values) for key, values in table.items()}
    except Exception as error:  # a damaged pickle can provoke any exception
        raise DataError(f"{where}: the arrays cannot be read ({error}); fetch it again") from error


def _arrays(values: Any) -> list[Numbers]:
    several = values if isinstance(values, list) else [values]
    return [array.values for array in several if isinstance(array, _Array)]


def _columns(frame: _Frame) -> Frame:
    """Returns the columns of a frame: pandas stores columns of one type as rows of one array."""
    axes, arrays, names, _ = frame.state["_data"].state
    found = {}
    for array, block_names in zip(arrays, names, strict=True):
        for name, values in zip(block_names.data.values, array.values, strict=True):
            found[str(name)] = values
    if set(found) != set(axes[0].data.values):
        raise ValueError("columns are missing")
    return found
