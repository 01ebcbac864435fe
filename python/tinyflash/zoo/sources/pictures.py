"""Resizes pictures to the size that a network reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.float32 | np.uint8]  # grey


def resize(pictures: Pictures, side: int) -> Floats:
    """Bilinear: [n][h][w] to [n][side][side]; pixel centres aligned, edges repeated."""
    rows = _interpolation(pictures.shape[1], side)
    columns = _interpolation(pictures.shape[2], side)
    return (rows @ pictures @ columns.T).astype(np.float32)


def _interpolation(size: int, wanted: int) -> npt.NDArray[np.float64]:
    """[wanted][size]: the weights of the old pixels in each new one."""
    centres = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    lower = np.minimum(centres.astype(np.int64), max(size - 2, 0))
    upper = np.minimum(lower + 1, size - 1)
    share = centres - lower
    weights = np.zeros((wanted, size))
    np.add.at(weights, (np.arange(wanted), lower), 1 - share)
    np.add.at(weights, (np.arange(wanted), upper), share)
    return weights
