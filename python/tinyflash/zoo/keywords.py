"""The keyword task: a keyword spotter learns eight new words."""

from __future__ import annotations

import numpy as np

from tinyflash.graph import Port
from tinyflash.read import read
from tinyflash.runtime.session import Int8Array
from tinyflash.runtime.units import encode
from tinyflash.scheme import scheme
from tinyflash.training.samples import Samples
from tinyflash.zoo.sources.networks import mlperf_tiny
from tinyflash.zoo.sources.speech import SPEAKERS, Spectrograms, spoken, utterances
from tinyflash.zoo.task import Split, Task

KNOWN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
WORDS = ("lamp", "window", "kitchen", "coffee", "music", "heater", "garden", "camera")
_SPEAKERS = (5, 3, 16)  # that train, validate, test; 64 utterances of each
_STEPS = 4.0  # of the spectrogram to one of the pictures that the network was trained on


def heard(port: Port, spectrograms: Spectrograms) -> Int8Array:
    """Returns spectrograms as the network reads them, with the last row repeated once."""
    rows = np.concatenate([spectrograms, spectrograms[:, -1:]], axis=1)
    pictures = np.minimum(rows / _STEPS, 255).astype(np.float32)
    return encode(port, pictures[..., np.newaxis])


def keywords() -> Task:
    """New words by new speakers, with MLPerf Tiny's DS-CNN."""
    graph = read(mlperf_tiny("keyword_spotting"))
    every = list(utterances(WORDS, SPEAKERS, 0))
    x = heard(graph.input, spoken(every))
    y = np.array([WORDS.index(u.word) for u in every])
    by = np.array([u.speaker for u in every])

    def splits(seed: int) -> tuple[Split, ...]:
        speakers = np.random.default_rng(seed).permutation(np.array(SPEAKERS))
        ends = np.cumsum(_SPEAKERS)
        parts = np.split(speakers[: ends[-1]], ends[:-1])
        samples = (Samples(x[np.isin(by, part)], y[np.isin(by, part)]) for part in parts)
        return (Split(*samples),)

    return Task("keywords", "DS-CNN", graph, len(WORDS), scheme("keywords"), 4, splits)
