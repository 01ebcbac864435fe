"""A set of features from a set of samples: what a board with the same front end would have
collected, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyflash.arrays import Numbers
from tinyflash.data import shards, text
from tinyflash.data.dataset import DESCRIPTION, Dataset, Frames
from tinyflash.data.shards import NONE, Labels, Track, read, runs
from tinyflash.errors import DataError
from tinyflash.runtime.host.spectrogram import NativeSpectrogram
from tinyflash.spectrogram import RAW, UNIT, Spectrogram, parse

_FULL = 32768  # int16 of 1.0


def settings_for(dataset: Dataset, features: str) -> Spectrogram:
    """Returns a front end for the samples of a set. Raises DataError if they have none."""
    frames = dataset.frames
    if frames.front_end != RAW:
        raise DataError(f"{dataset.folder} holds features already: {frames.front_end}")
    if frames.shape != (1,):
        raise DataError(
            f"a spectrogram is of one channel; a frame of {dataset.folder} has shape "
            f"{list(frames.shape)}"
        )
    settings = parse(features, frames.rate)
    if settings.rate != frames.rate:
        raise DataError(
            f"{features}: {dataset.folder} has {frames.rate} samples per second, not "
            f"{settings.rate}"
        )
    return settings


def frames_of(settings: Spectrogram) -> Frames:
    """Returns what a set says of such features, the same as of a board that computes them."""
    rate = round(settings.rate * 1000 / settings.hop) / 1000
    return Frames((settings.bands,), rate, settings.channels, scale=UNIT, front_end=settings.text)


def make_features(
    dataset: Dataset,
    settings: Spectrogram,
    folder: Path,
    listen: Callable[[int], None] = lambda _done: None,
) -> Dataset:
    """Writes a new set, with the same recordings, labels, subjects, sessions and split, into a
    folder without one. Raises DataError. listen: is called with the number of recordings done."""
    if (folder / DESCRIPTION).exists():
        raise DataError(f"{folder} is a data set already; name another folder")
    native = NativeSpectrogram(settings)
    made = replace(
        dataset,
        folder=folder,
        frames=frames_of(settings),
        recordings=(),
        corrections=(),
        digests={},
        splits={},
    )
    for done, one in enumerate(dataset.recordings, 1):
        track = _featured(read(dataset, one), dataset.frames, settings, native, one.name)
        made = shards.append(made, replace(one, pieces=()), track)
        listen(done)
    there = {one.name for one in made.recordings}
    parts = {part: tuple(n for n in names if n in there) for part, names in dataset.splits.items()}
    made = replace(made, splits=parts)
    text.save(made)
    return made


def _featured(
    track: Track, frames: Frames, settings: Spectrogram, native: NativeSpectrogram, name: str
) -> Track:
    """Frame n is of the samples from number n * hop on; none reaches across a gap."""
    samples = _int16(track.frames[:, 0], frames, name)
    features, numbers, labels = [np.zeros((0, settings.bands), np.int16)], [], []
    for begin, end in runs(track.numbers):
        first = -(-int(track.numbers[begin]) // settings.hop)
        start = begin + first * settings.hop - int(track.numbers[begin])
        found = native.frames(samples[start:end])
        features.append(found)
        numbers.append(first + np.arange(len(found), dtype=np.int64))
        starts = start + settings.hop * np.arange(len(found))
        labels.append(_labels(track.labels, starts, settings.window))
    return Track(
        np.concatenate(features),
        np.concatenate([np.zeros(0, np.int64), *numbers]),
        np.concatenate([np.zeros(0, np.int32), *labels]),
    )


def _int16(values: Numbers, frames: Frames, name: str) -> npt.NDArray[np.int16]:
    """Numbers of 8 and 16 bits stay; of others, 1.0 becomes full scale."""
    if values.dtype in (np.int8, np.uint8, np.int16):
        return values.astype(np.int16)
    real = frames.real(values)
    if not (np.abs(real) <= 1).all():
        raise DataError(
            f"recording {name} has numbers beyond -1 to 1, or none; a spectrogram reads sound, or "
            "whole numbers of 16 bits"
        )
    return np.clip(np.rint(real * _FULL), -_FULL, _FULL - 1).astype(np.int16)


def _labels(labels: Labels, starts: npt.NDArray[np.int64], window: int) -> Labels:
    """Returns for each window the label that more than half of its samples have, or NONE."""
    found = np.full(len(starts), NONE, np.int32)
    for label in np.unique(labels):
        sums = np.concatenate([[0], np.cumsum(labels == label)])
        found[2 * (sums[starts + window] - sums[starts]) > window] = label
    return found
