"""The people of the motion task, as what a sensor at their waist gave."""

from __future__ import annotations

import numpy as np

from tinyflash.boards.replay import Replay
from tinyflash.errors import DataError
from tinyflash.zoo.activity import UNITS, turned
from tinyflash.zoo.sources.activity import ACTIVITIES, recordings

RATE = 50.0
SCALE = 1 / 4096
NAMES = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z")
CHANNEL_UNITS = ("g", "g", "g", "4 rad/s", "4 rad/s", "4 rad/s")  # as the network reads them


def worn(
    person: int, activity: str | None = None, recording: int | None = None, *, turn: bool = False
) -> Replay:
    """Returns what person 1 to 30 did: one activity, all its moments without what was between them;
    None: all. recording: which of the person's, from 1 on; None: one after the other. turn: the
    sensor is turned, as the task `activity` does it with seed 0. Raises DataError."""
    people = recordings()
    if person not in people:
        raise DataError(f"activity:{person}: the persons are 1 to {max(people)}")
    there = people[person]
    if recording is not None and not 0 < recording <= len(there):
        raise DataError(f"activity:{person}: this person has recordings 1 to {len(there)}")
    chosen = there if recording is None else [there[recording - 1]]
    if turn:
        chosen = [turned(one, (0, person)) for one in chosen]
    motion = np.concatenate([one.motion for one in chosen])
    labels = np.concatenate([one.labels for one in chosen])
    if activity is not None:
        if activity not in ACTIVITIES:
            raise DataError(f"activity:{person}:{activity}: choose from {', '.join(ACTIVITIES)}")
        motion = motion[labels == ACTIVITIES.index(activity)]
    stored = np.clip(np.rint(motion * UNITS / SCALE), -32768, 32767).astype(np.int16)
    name = f"person {person}" + (f", {activity}" if activity else "")
    return Replay(name, stored, RATE, SCALE, NAMES, CHANNEL_UNITS)
