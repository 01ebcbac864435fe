"""The data sets of the benchmark, in float, and the architecture that the zoo has for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tinyflash.errors import DataError
from tinyflash.search.designs.layers import Layer, Listed
from tinyflash.search.designs.task import Part, Task
from tinyflash.zoo.activity import known_people, new_people, windows
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.keywords import WORDS
from tinyflash.zoo.sources.activity import ACTIVITIES, recordings
from tinyflash.zoo.sources.digits import digits
from tinyflash.zoo.sources.fashion import fashion
from tinyflash.zoo.sources.speech import SPEAKERS, spoken, utterances

_VALIDATING = 5  # people, of those that are known
_EVERY = 3  # windows: each overlaps its neighbours
_DIGITS = (1000, 250)  # to train with, to validate; the rest is the test
_FASHION = (2000, 1000, 3000)
_SPEAKERS = (3, 5)  # to train with, to validate; the rest is the test. 64 words of each


@dataclass(frozen=True)
class ZooSamples:
    """A data set of the benchmark, which workers find by its name."""

    name: str

    def load(self) -> Task:
        return _loaded(self.name)


@lru_cache(maxsize=2)
def _loaded(name: str) -> Task:
    if name not in TASKS:
        raise DataError(f"no task {name!r}; choose one of {', '.join(TASKS)}")
    return TASKS[name]()


def _digits() -> Task:
    pictures, labels = digits()
    x = pictures[..., np.newaxis].astype(np.float32)
    train, validation = draw(labels, _DIGITS, 0)
    test = np.setdiff1d(np.arange(len(labels)), np.concatenate([train, validation]))
    parts = (Part(x[chosen], labels[chosen]) for chosen in (train, validation, test))
    return Task("picture", 10, *parts)


def _activity() -> Task:
    """Nobody is in two parts."""
    known = known_people()
    people = (known[_VALIDATING:], known[:_VALIDATING], new_people())
    return Task("signal", len(ACTIVITIES), *(_of_people(some) for some in people))


def _of_people(people: list[int]) -> Part:
    found = recordings()
    cut = [windows(one, np.ones(len(one.labels), bool)) for p in people for one in found[p]]
    x, y = (np.concatenate(arrays) for arrays in zip(*cut, strict=True))
    return Part(x[::_EVERY].astype(np.float32), y[::_EVERY].astype(np.int64))


def _keywords() -> Task:
    """No speaker is in two parts."""
    every = list(utterances(WORDS, SPEAKERS, 0))
    x = spoken(every)[..., np.newaxis].astype(np.float32)
    y = np.array([WORDS.index(one.word) for one in every], np.int64)
    by = np.array([SPEAKERS.index(one.speaker) for one in every])
    order = np.random.default_rng(0).permutation(len(SPEAKERS))
    groups = (np.isin(by, some) for some in np.split(order, np.cumsum(_SPEAKERS)))
    return Task("picture", len(WORDS), *(Part(x[chosen], y[chosen]) for chosen in groups))


def _fashion() -> Task:
    (pictures, labels), (unseen, unseen_labels) = fashion("train"), fashion("t10k")
    train, validation = draw(labels, _FASHION[:2], 0)
    (test,) = draw(unseen_labels, _FASHION[2:], 0)
    parts = (
        Part(x[chosen][..., np.newaxis].astype(np.float32), y[chosen].astype(np.int64))
        for x, y, chosen in (
            (pictures, labels, train),
            (pictures, labels, validation),
            (unseen, unseen_labels, test),
        )
    )
    return Task("picture", 10, *parts)


TASKS: Mapping[str, Callable[[], Task]] = {
    "digits": _digits,
    "activity": _activity,
    "fashion": _fashion,
    "keywords": _keywords,
}


def zoo_network(name: str) -> Listed:
    """Returns the architecture that the zoo has for a task, with a classifier of its classes."""
    task = _loaded(name)
    layers = _zoo_layers(name)
    classifier = replace(layers[-1], out=task.classes)
    return Listed(task.family, task.shape, (*layers[:-1], classifier))


def _zoo_layers(name: str) -> tuple[Layer, ...]:
    """Imports torch with the scripts that train the zoo's networks."""
    if name == "digits":
        from tinyflash.zoo.training import digits as residual

        return residual.layers()
    if name == "activity":
        from tinyflash.zoo.training import activity as motion

        return motion.layers()
    return ds_cnn() if name == "keywords" else resnet8()


def ds_cnn() -> tuple[Layer, ...]:
    """MLPerf Tiny's DS-CNN: depthwise separable convolutions of a spectrogram."""
    found = [Layer("conv2d", "stem", ("input",), 64, (10, 4), (2, 2), "relu")]
    for number in range(1, 5):
        x, name = found[-1].name, f"block{number}"
        found.append(Layer("depthwise", f"{name}_dw", (x,), 64, (3, 3), activation="relu"))
        found.append(Layer("conv2d", name, (f"{name}_dw",), 64, activation="relu"))
    ends = (Layer("mean", "mean", ("block4",)), Layer("fully_connected", "classifier", ("mean",)))
    return (*found, *ends)


def resnet8() -> tuple[Layer, ...]:
    """MLPerf Tiny's ResNet8, for input of any size."""
    stem = Layer("conv2d", "stem", ("input",), 16, (3, 3), activation="relu")
    first = _residual("block1", "stem", 16, (1, 1), widened=False)
    second = _residual("block2", "block1", 32, (2, 2), widened=True)
    third = _residual("block3", "block2", 64, (2, 2), widened=True)
    ends = (Layer("mean", "mean", ("block3",)), Layer("fully_connected", "classifier", ("mean",)))
    return (stem, *first, *second, *third, *ends)


def _residual(
    name: str, x: str, out: int, stride: tuple[int, int], widened: bool
) -> tuple[Layer, ...]:
    first, second, short = f"{name}_first", f"{name}_second", f"{name}_short"
    body = (
        Layer("conv2d", first, (x,), out, (3, 3), stride, "relu"),
        Layer("conv2d", second, (first,), out, (3, 3)),
    )
    if not widened:
        return (*body, Layer("add", name, (x, second), activation="relu"))
    beside = Layer("conv2d", short, (x,), out, (1, 1), stride)
    return (*body, beside, Layer("add", name, (second, short), activation="relu"))
