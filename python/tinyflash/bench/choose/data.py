"""The tasks of the comparison: networks, samples of every seed, and three budgets of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyflash.errors import DataError
from tinyflash.read import read
from tinyflash.scheme import Scheme, scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.drawing import draw
from tinyflash.zoo.pictures import samples
from tinyflash.zoo.sources.digits import CLASSES, LARGEST, digits
from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.task import Split, Task
from tinyflash.zoo.tasks import TASKS, load_task

# Bytes of arena, trained weights and state. The tightest is little more than the classifier alone
# takes; the widest holds about the published kind of scheme.
BUDGETS: Mapping[str, tuple[int, int, int]] = {
    "faces": (32 << 10, 36 << 10, 48 << 10),
    "fashion": (20 << 10, 28 << 10, 48 << 10),
    "fashion-person": (32 << 10, 36 << 10, 48 << 10),
    "activity": (8 << 10, 12 << 10, 24 << 10),
    "digits": (3 << 10, 6 << 10, 16 << 10),
    "keywords": (14 << 10, 20 << 10, 40 << 10),
}
FEW = 5  # samples of a class to train with
FEW_SEEDS = 5
FEW_VALIDATION = 200  # samples at most, which choose scheme and rate for all methods alike
FEW_EPOCHS = 20
FIXED = "person_faces"  # the one scheme of the few-shot comparison
_DIGITS = (250, 250, 1000)


@dataclass(frozen=True)
class Data:
    """A task with the samples of some seeds. base: the scheme that trains the classifier alone."""

    task: Task
    base: Scheme
    epochs: int
    splits: Mapping[int, tuple[Split, ...]]


def load(name: str, seeds: int) -> Data:
    if name not in TASKS:
        raise DataError(f"no task {name!r}; choose one of {', '.join(TASKS)}")
    task = load_task(name)
    splits = {seed: task.splits(seed) for seed in range(seeds)}
    return Data(task, _base(task), task.epochs, splits)


def _base(task: Task) -> Scheme:
    return replace(task.scheme, head=task.classes, rules=())


# ---- Few samples ---------------------------------------------------------------------------------


def load_few(name: str, seeds: int) -> Data:
    """Loads a task of the person detector with FEW samples of a class to train with."""
    if name not in FEW_TASKS:
        raise DataError(f"no few-shot task {name!r}; choose one of {', '.join(FEW_TASKS)}")
    task = FEW_TASKS[name]()
    splits = {s: tuple(_few(split, s) for split in task.splits(s)) for s in range(seeds)}
    return Data(task, _base(task), FEW_EPOCHS, splits)


def _few(split: Split, seed: int) -> Split:
    labels = split.train.y.astype(np.int64)
    (few,) = draw(labels, (FEW * len(np.unique(labels)),), seed)
    count = min(FEW_VALIDATION, len(split.validation) + len(split.train) - len(few))
    rest = np.setdiff1d(np.arange(len(labels)), few)
    others = _joined(split.validation, split.train.take(rest))
    (kept,) = draw(others.y.astype(np.int64), (count,), seed)
    return Split(split.train.take(few), others.take(kept), split.test)


def _joined(one: Samples, other: Samples) -> Samples:
    return Samples(np.concatenate([one.x, other.x]), np.concatenate([one.y, other.y]))


def digits_person() -> Task:
    """Handwritten digits, with MLPerf Tiny's person detector."""
    graph = read(mlperf_tiny("visual_wake_words"))
    pictures, labels = digits()
    bright = pictures * np.float32(255 / LARGEST)

    def splits(seed: int) -> tuple[Split, ...]:
        parts = draw(labels, _DIGITS, seed)
        return (Split(*(samples(graph.input, bright, labels, part) for part in parts)),)

    return Task("digits", "person detector", graph, CLASSES, scheme(FIXED), 10, splits)


FEW_TASKS: Mapping[str, Callable[[], Task]] = {
    "faces": TASKS["faces"],
    "fashion-person": TASKS["fashion-person"],
    "digits-person": digits_person,
}
