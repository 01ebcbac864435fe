"""Small sets that several tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyflash.data import shards, text
from tinyflash.data.dataset import Dataset, Frames, Recording, with_classes
from tinyflash.data.shards import Track

RATE = 50.0
CLASSES = ("low", "high")


def signal_set(folder: Path, people: int = 4, frames: int = 200) -> Dataset:
    """Two recordings of each person, one of each class, of two int16 channels around -50 and 50;
    the second has a gap of ten frames after its first hundred."""
    about = Frames((2,), RATE, ("a", "b"), ("g", "g"), 0.02)
    dataset = with_classes(Dataset(folder, about), CLASSES)
    for recording, track in _recordings(people, frames):
        dataset = shards.append(dataset, recording, track)
    text.save(dataset)
    return dataset


def _recordings(people: int, frames: int) -> Iterator[tuple[Recording, Track]]:
    random = np.random.default_rng(7)
    for person in range(people):
        for label in range(2):
            values = random.integers(-40, 40, (frames, 2)) + (100 * label - 50)
            numbers = np.arange(frames) + np.where(np.arange(frames) >= 100, 10 * label, 0)
            recording = Recording(f"p{person}-{label}", (), f"p{person}", f"day{label}", "drawn")
            labels = np.full(frames, label, np.int32)
            yield recording, Track(values.astype(np.int16), numbers, labels)


def sound_set(folder: Path, count: int, rate: int = 1600) -> Dataset:
    """One recording of noise, int16: its first half is low, the other one high."""
    dataset = with_classes(Dataset(folder, Frames((1,), rate, ("mono",), scale=2**-15)), CLASSES)
    values = np.random.default_rng(3).integers(-9000, 9000, (count, 1)).astype(np.int16)
    labels = (np.arange(count) >= count // 2).astype(np.int32)
    recording = Recording("noise", (), "anna", "monday", "drawn")
    dataset = shards.append(dataset, recording, Track(values, np.arange(count), labels))
    text.save(dataset)
    return dataset
