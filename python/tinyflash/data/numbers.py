"""Numbers that a person may have written into dataset.toml."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyflash.errors import printable

# A stored number, rate, scale or offset: what is computed from them is finite in float64.
_LEAST, MOST = 1e-30, float(np.finfo(np.float32).max)


def whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise ValueError(f"{what}: {value!r} is not a positive whole number")
    return value


def positive(value: Any, what: str) -> float:
    if _is_no_number(value) or not _LEAST <= value <= MOST:
        raise ValueError(
            f"{what} = {_short(value)} is not a positive number, {_LEAST:g} to {MOST:.3g}"
        )
    return float(value)


def finite(value: Any, what: str) -> float:
    if _is_no_number(value) or not abs(value) <= MOST:
        raise ValueError(f"{what} = {_short(value)} is not a number within {MOST:.3g} of 0")
    return float(value)


def _is_no_number(value: object) -> bool:
    return not isinstance(value, int | float) or isinstance(value, bool)


def _short(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= 40 else f"{text[:37]}..."
