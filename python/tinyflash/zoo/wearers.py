"""The people of the motion task, as what a sensor at their waist gave."""

from __future__ import annotations

import numpy as np

from tinyflash.boards.replay import Replay
from tinyflash.errors import DataError
from tinyflash.zoo.activity import UNITS
from tinyflash.zoo.sources.activity import ACTIVITIES, recordings

RATE = 50.0
SCALE = 1 / 4096
NAMES = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z")
CHANNEL_UNITS = ("g", "g", "g", "4 rad/s", "4 rad/s", "4 rad/s")  # as the network reads them


def worn(person: int, activity: str | None = None, recording: int | None = None) -> Replay:
    """Returns what person 1 to 30 did: one activity, all its moments without what was between them;
    None: all. recording: one of the person's two; None: both, one after the other."""
    people = recordings()
    if person not in people:
        raise DataError(f"activity:{person}: the persons are 1 to {max(people)}")
    chosen = people[person] if recording is None else people[person][recording : recording + 1]
    motion = np.concatenate([one.motion for one in chosen])
    labels = np.concatenate([one.labels for one in chosen])
    if activity is not None:
        if activity not in ACTIVITIES:
            raise DataError(f"activity:{person}:{activity}: choose from {', '.join(ACTIVITIES)}")
        motion = motion[labels == ACTIVITIES.index(activity)]
    stored = np.clip(np.rint(motion * UNITS / SCALE), -32768, 32767).astype(np.int16)
    name = f"person {person}" + (f", {activity}" if activity else "")
    return Replay(name, stored, RATE, SCALE, NAMES, CHANNEL_UNITS)
