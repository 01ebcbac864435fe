"""Trains over a faulty line, and compares what was learned with what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.soak.line import FaultyPort
from tests.support.firmware import MODEL, build_for_host
from tests.support.learner import SCHEME, learner_graph

from tinyflash.compiler import compile_model
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

OFTEN = 0.01
RATE = 0.05
CHECKED_EVERY = 20  # steps
# The patience of a host, in exchanges: 1 s, and 46 ms for the longest frame and its reply at
# 115,200 baud.
PATIENCE = 22


class Sums:
    """Of the model in tests/firmware/model: it adds each sample and its label to the weights."""

    shape = (3000,)
    classes = 3

    def __init__(self) -> None:
        self._sums = np.frombuffer(bytes([1, 2, 3, 4, 5]) + bytes(1495), np.int8)

    def train(self, x: np.ndarray, label: int) -> None:
        self._sums = self._sums + x[:1500] + np.int8(label)

    @property
    def weights(self) -> bytes:
        return self._sums.tobytes()


class ByRows:
    """Of a network whose samples go row by row."""

    shape = (6, 6, 2)
    classes = 3

    def __init__(self) -> None:
        self.compiled = compile_model(learner_graph(), SCHEME, seed=9, row_source=True)
        self._session = HostSession(self.compiled.program)

    def train(self, x: np.ndarray, label: int) -> None:
        self._session.train_step(x, label, RATE)

    @property
    def weights(self) -> bytes:
        return self._session.weights


def whole(folder: Path) -> Path:
    return build_for_host(MODEL, folder / "firmware")


def by_rows(folder: Path) -> Path:
    write_model(ByRows().compiled, folder)
    return build_for_host(folder, folder / "firmware")


SUBJECTS: dict[str, tuple[Callable[[Path], Path], type[Sums] | type[ByRows]]] = {
    "whole samples": (whole, Sums),
    "row by row": (by_rows, ByRows),
}


@dataclass(frozen=True)
class Outcome:
    """Of one run. wrong: checks at which the weights were not those of the samples, each trained
    once. repeated: commands that the host sent again."""

    counts: Counter[str]
    steps: int
    wrong: int
    repeated: int
    seconds: float


def soak(
    program: Path, twin: Sums | ByRows, frames: int, seed: int, often: float, patience: float
) -> Outcome:
    """Trains until so many frames were on the line. Raises LinkError if the host gives up."""
    rng = np.random.default_rng(seed)
    port = FaultyPort(program, seed, often)
    link = Link(port, patience=patience)
    start, steps, wrong = time.monotonic(), 0, 0
    with DeviceSession(link) as device:
        while port.counts["frames"] < frames or steps % CHECKED_EVERY:
            x = rng.integers(-128, 128, twin.shape).astype(np.int8)
            label = int(rng.integers(twin.classes))
            device.train_step(x, label, RATE)
            twin.train(x, label)
            steps += 1
            if steps % CHECKED_EVERY == 0:
                wrong += device.weights != twin.weights or device.counters().step != steps
    return Outcome(port.counts, steps, wrong, link.repeated, time.monotonic() - start)


@dataclass(frozen=True)
class Soak:
    """A clean run, and one with faults."""

    clean: Outcome
    faulty: Outcome

    @property
    def throughput(self) -> float:
        """Steps per second, as a share of those on the clean line."""
        clean, faulty = (one.steps / one.seconds for one in (self.clean, self.faulty))
        return faulty / clean


def soaked(name: str, frames: int, folder: Path, seed: int = 1) -> Soak:
    build, twin = SUBJECTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    program = build(folder)
    few = max(frames // 20, 1000)
    clean = soak(program, twin(), few, seed, 0.0, 1.0)
    exchange = 2 * clean.seconds / clean.counts["frames"]
    return Soak(clean, soak(program, twin(), frames, seed, OFTEN, PATIENCE * exchange))
