"""Shoulder exercises of ten people with a smartwatch, from PyPI's seglearn (BSD-3-Clause).

"Shoulder physiotherapy exercise recognition", Burns, Leung, Hardisty, Whyne, Henry, McLachlin,
2018: acceleration in g and angular speed in rad/s, three axes each, at 50 Hz. Each person did 20
repetitions of each exercise with each arm, a recording each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflash.errors import DataError
from tinyflash.zoo.sources.activity import Floats
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.frames import Numbers, read_arrays
from tinyflash.zoo.sources.pypi import Wheel

EXERCISES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
PEOPLE = tuple(range(1, 11))

_NAME = "watch_dataset.npy"
_HEADER = 128  # bytes of a .npy file before its content, which is a pickle
_AXES = 6
_WHEEL = Wheel(
    "seglearn",
    "1.2.5",
    "3.11",
    ("any",),
    (
        Member(
            _NAME,
            (f"seglearn/data/{_NAME}",),
            "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
        ),
    ),
)


@dataclass(frozen=True)
class Exercise:
    """A recording of one exercise by one person. motion float32 [n][6]: as in activity.py."""

    motion: Floats
    label: int  # index into EXERCISES
    person: int


def exercises() -> list[Exercise]:
    """Returns all 140 recordings."""
    path = fetch(_WHEEL, _NAME)
    arrays = read_arrays(path.read_bytes()[_HEADER:], str(path))
    try:
        (labels,), (people,) = arrays["y"], arrays["subject"]
        found = zip(arrays["X"], labels, people, strict=True)
        return [Exercise(_motion(x), int(y), int(person)) for x, y, person in found]
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: not the expected arrays ({error}); fetch it again") from error


def _motion(values: Numbers) -> Floats:
    if values.ndim != 2 or values.shape[1] != _AXES:
        raise ValueError(f"a recording of shape {values.shape}")
    return np.ascontiguousarray(values, np.float32)
