"""The motion task: a network trained on twenty people learns how another person wears the sensor.

Each person wears the sensor turned by 45 degrees about a different axis, which the network has
never seen. Each activity was recorded several times. The first recording trains, except its last
quarter, which validates; the next one tests, and so on in turn. No moment is in two splits.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from tinyflash.graph import Quant
from tinyflash.read import read
from tinyflash.scheme import scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.coding import stored
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.sources.activity import ACTIVITIES, NONE, Floats, Labels, Recording, recordings
from tinyflash.zoo.task import Split, Task

WINDOW = 128  # moments: 2.56 s
STEP = 64  # from the start of a window to the next
# The network reads bytes of 1/64 g and 1/16 rad/s: a sensor driver gets these by shifts.
INPUT = Quant((1 / 64,), 0)
UNITS = np.array([1, 1, 1, 0.25, 0.25, 0.25], np.float32)

KNOWN = 20  # people the network was trained on
TURN = 45.0  # degrees
_WEARERS = 8  # of the other ten, drawn by the seed
_TRAIN = 90  # windows of each
_VALIDATE = 0.25  # of the training time
_TRAINS, _VALIDATES, _TESTS = range(3)
_PEOPLE = range(1, 31)
_PERMUTATION = 0  # the seed that separated known people from others


def known_people() -> list[int]:
    return _people()[:KNOWN]


def new_people() -> list[int]:
    return _people()[KNOWN:]


def _people() -> list[int]:
    order = np.random.default_rng(_PERMUTATION).permutation(np.array(_PEOPLE))
    return [int(person) for person in order]


def windows(recording: Recording, within: npt.NDArray[np.bool_]) -> tuple[Floats, Labels]:
    """Returns windows of one activity each, [n][1][WINDOW][6] in the network's units, and labels
    [n].

    within: the moments that windows may use.
    """
    labels = np.where(within, recording.labels, NONE)
    starts = [
        start
        for first, end in runs(labels)
        if labels[first] != NONE
        for start in range(first, end - WINDOW + 1, STEP)
    ]
    moments = np.array(starts, np.int64)[:, np.newaxis] + np.arange(WINDOW)
    return (recording.motion[moments] * UNITS)[:, np.newaxis], labels[moments[:, 0]]


def parts(labels: Labels) -> npt.NDArray[np.int8]:
    """Returns the moments that train, validate and test, from the turns of each activity."""
    found = np.full(len(labels), _TRAINS, np.int8)
    turns: Counter[int] = Counter()
    for first, end in runs(labels):
        label = int(labels[first])
        if turns[label] % 2:
            found[first:end] = _TESTS
        else:
            found[end - int(_VALIDATE * (end - first)) : end] = _VALIDATES
        turns[label] += 1
    return found


def runs(labels: Labels) -> list[tuple[int, int]]:
    """Returns (first, end) of every stretch of one label."""
    ends = [*(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return list(zip([0, *ends], ends, strict=False))


def turned(recording: Recording, seed: tuple[int, int]) -> Recording:
    """Returns the recording of a sensor turned by TURN about an axis drawn by `seed`."""
    x, y, z = axis = np.random.default_rng(seed).normal(size=3)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / np.linalg.norm(axis)
    angle = np.deg2rad(TURN)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    motion = recording.motion.reshape(-1, 2, 3) @ turn.T
    return Recording(motion.reshape(-1, 6).astype(np.float32), recording.labels)


def activity() -> Task:
    """Six activities, with the network from training/activity.py, for new wearers."""
    graph = read(path_of("activity"))
    people = recordings()

    def splits(seed: int) -> tuple[Split, ...]:
        wearers = np.random.default_rng(seed).permutation(np.array(new_people()))[:_WEARERS]
        return tuple(_split(people[int(w)], (seed, int(w))) for w in sorted(wearers))

    return Task("activity", "motion CNN", graph, len(ACTIVITIES), scheme("activity"), 4, splits)


def _split(worn: list[Recording], seed: tuple[int, int]) -> Split:
    """Returns the split of one wearer. `seed` and the wearer's number turn the sensor."""
    recorded = [turned(recording, seed) for recording in worn]
    train, validation, test = (_part(recorded, part) for part in (_TRAINS, _VALIDATES, _TESTS))
    (chosen,) = draw(train.labels, (_TRAIN,), seed[0])
    return Split(train.take(chosen), validation, test)


def _part(recorded: list[Recording], part: int) -> Samples:
    """Returns all windows within one of the parts."""
    found = [windows(recording, parts(recording.labels) == part) for recording in recorded]
    x, y = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return Samples(stored(x, INPUT), y)
