"""Handwritten digits of 43 people (UCI, Alpaydin and Kaynak 1998), from scikit-learn."""

from __future__ import annotations

import gzip
import zlib

import numpy as np

from tinyflash.errors import DataError
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.pictures import Floats, Labels
from tinyflash.zoo.sources.wheels import scikit_learn

CLASSES = 10
SIDE = 8
LARGEST = 16  # of a pixel

_NAME = "digits.csv.gz"
_WHEEL = scikit_learn(
    Member(
        _NAME,
        (f"sklearn/datasets/data/{_NAME}",),
        "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
    )
)


def digits() -> tuple[Floats, Labels]:
    """Returns all digits: float32 [1797][8][8], integers 0..16; labels int64 [1797]."""
    path = fetch(_WHEEL, _NAME)
    try:
        rows = gzip.decompress(path.read_bytes()).decode("ascii").split()
        table = np.array([row.split(",") for row in rows], np.float32)
        pictures = table[:, :-1].reshape(-1, SIDE, SIDE)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    return pictures, table[:, -1].astype(np.int64)
