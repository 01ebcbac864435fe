"""Tasks far from what their networks know: exercises for the motion CNN, digits for ResNet8."""

from __future__ import annotations

import numpy as np

from tinyflash.read import read
from tinyflash.scheme import scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.activity import INPUT, STEP, UNITS, WINDOW
from tinyflash.zoo.coding import stored
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.pictures import samples
from tinyflash.zoo.sources.digits import CLASSES, LARGEST, digits
from tinyflash.zoo.sources.exercises import EXERCISES, PEOPLE, Exercise, exercises
from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.sources.pictures import Floats, Labels
from tinyflash.zoo.task import Split, Task

_PEOPLE = (5, 2, 3)  # that train, validate, test
_WINDOWS = (350, 210, 1050)  # of them, a seventh of each exercise
_DIGITS = (250, 250, 1000)


def watch() -> Task:
    """Seven exercises of the arm, measured at the wrist, for a network trained on six activities,
    measured at the waist. People who test did not train."""
    graph = read(path_of("activity"))
    recorded = exercises()
    windows = [_windows(exercise) for exercise in recorded]
    x = np.concatenate(windows)
    y = np.repeat([e.label for e in recorded], [len(w) for w in windows]).astype(np.int64)
    by = np.repeat([e.person for e in recorded], [len(w) for w in windows])

    def splits(seed: int) -> tuple[Split, ...]:
        people = np.random.default_rng(seed).permutation(np.array(PEOPLE))
        parts = np.split(people, np.cumsum(_PEOPLE)[:-1])
        chosen = [
            _drawn(np.flatnonzero(np.isin(by, part)), y, count, seed)
            for part, count in zip(parts, _WINDOWS, strict=True)
        ]
        return (Split(*(Samples(stored(x[part], INPUT), y[part]) for part in chosen)),)

    return Task("watch", "motion CNN", graph, len(EXERCISES), scheme("watch"), 4, splits)


def _windows(exercise: Exercise) -> Floats:
    """Returns all windows of a recording, [n][1][WINDOW][6] in the network's units."""
    starts = np.arange(0, len(exercise.motion) - WINDOW + 1, STEP)
    moments = starts[:, np.newaxis] + np.arange(WINDOW)
    windows: Floats = (exercise.motion[moments] * UNITS)[:, np.newaxis]
    return windows


def _drawn(among: Labels, labels: Labels, count: int, seed: int) -> Labels:
    (chosen,) = draw(labels[among], (count,), seed)
    return among[chosen]


def digits_resnet() -> Task:
    """Handwritten digits, with MLPerf Tiny's ResNet8, which knows ten kinds of things.

    Three epochs are enough for the classifier alone. With all layers, seeds then differ by 20
    points, in float and in int8.
    """
    graph = read(mlperf_tiny("image_classification"))
    pictures, labels = digits()
    bright = pictures * np.float32(255 / LARGEST)

    def splits(seed: int) -> tuple[Split, ...]:
        parts = draw(labels, _DIGITS, seed)
        return (Split(*(samples(graph.input, bright, labels, part) for part in parts)),)

    return Task("digits", "ResNet8", graph, CLASSES, scheme("resnet_fashion"), 10, splits)
