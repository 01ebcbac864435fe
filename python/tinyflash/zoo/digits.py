"""The digits task: a network trained on 0 to 4 learns all ten digits."""

from __future__ import annotations

import numpy as np

from tinyflash.graph import Quant
from tinyflash.read import read
from tinyflash.scheme import scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.coding import stored
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.sources.digits import CLASSES, LARGEST, digits
from tinyflash.zoo.sources.pictures import Floats, Labels
from tinyflash.zoo.task import Split, Task

INPUT = Quant((1 / 128,), 0)  # of pixels as fractions of the largest
KNOWN = 5  # digits that the network was trained on
_KNOWN_PICTURES = 300
_COUNTS = (250, 200)  # to train with, to validate; the rest is the test


def known() -> tuple[Floats, Labels]:
    """Returns the pictures of 0 to 4 that the network was trained on: [n][8][8][1], always the
    same."""
    x, y = _coded()
    chosen = _known(y)
    return x[chosen], y[chosen]


def unknown() -> tuple[Floats, Labels]:
    """Returns all other pictures, of all ten digits."""
    x, y = _coded()
    others = np.setdiff1d(np.arange(len(y)), _known(y))
    return x[others], y[others]


def _known(labels: Labels) -> Labels:
    few = np.flatnonzero(labels < KNOWN)
    (chosen,) = draw(labels[few], (_KNOWN_PICTURES,), 0)
    return few[chosen]


def _coded() -> tuple[Floats, Labels]:
    pictures, labels = digits()
    fractions = (pictures / LARGEST).astype(np.float32)
    return fractions[..., np.newaxis], labels


def digits_task() -> Task:
    """Ten digits, with the residual CNN from training/digits.py."""
    graph = read(path_of("digits"))
    x, y = unknown()

    def splits(seed: int) -> tuple[Split, ...]:
        train, validation = draw(y, _COUNTS, seed)
        test = np.setdiff1d(np.arange(len(y)), np.concatenate([train, validation]))
        parts = (Samples(stored(x[part], INPUT), y[part]) for part in (train, validation, test))
        return (Split(*parts),)

    return Task("digits", "residual CNN", graph, CLASSES, scheme("digits"), 4, splits)
