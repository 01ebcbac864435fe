"""The compiled C library: `ffi` makes memory for it, `lib` has its functions."""

from __future__ import annotations

from typing import Any

try:
    from tinyflash.runtime.host import _tinyflash  # type: ignore[attr-defined]
except ImportError as error:
    raise ImportError(
        "the C library of tinyflash is not compiled for this Python; run ./run doctor in the "
        "checkout, or pip install ."
    ) from error

ffi: Any = _tinyflash.ffi
lib: Any = _tinyflash.lib
