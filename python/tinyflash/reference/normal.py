"""What is normal in plain Python, to the letter of SPEC 13."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LARGEST, _LIMIT = 8, 2**32


def score(x: npt.NDArray[np.int8], t: npt.NDArray[np.int8]) -> int:
    """SPEC 13.1."""
    return int(((x.astype(np.int64) - t.astype(np.int64)) ** 2).sum())


def code(scores: Sequence[int], rank: int) -> int:
    """SPEC 13.2."""
    assert 1 <= rank <= min(_LARGEST, len(scores))
    chosen = max(1, sorted(scores, reverse=True)[rank - 1])
    shift = 0
    while -(-chosen >> shift) >= 2**11:
        shift += 1
    return (-(-chosen >> shift) << 5) + shift


def threshold(code: int) -> int:
    """SPEC 13.2: the value of a code."""
    mantissa, shift = divmod(code, 2**5)
    value: int = mantissa << shift
    return min(value, _LIMIT - 1)
