"""Compares a training step on this computer with PyTorch's: time and memory, one thread each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyflash.bench.accuracy.twin import Twin, load_torch
from tinyflash.compiler import compile_model
from tinyflash.compiler.prepare import prepare
from tinyflash.errors import DataError
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import Scheme, resolve
from tinyflash.zoo import published
from tinyflash.zoo.reference import reference_network

_RATE = 0.001
_LABEL = 1


@dataclass(frozen=True)
class Cost:
    """Of one training step: milliseconds of processor time, and bytes of memory."""

    milliseconds: float
    bytes: int


@dataclass(frozen=True)
class Comparison:
    """The same network and scheme, trained by both. Ratios are PyTorch's cost over tinyflash's.

    tinyflash: bytes of arena, trained weights and state. pytorch: growth of the largest resident
    memory of the process from before torch is imported, torch itself included.
    """

    network: str
    scheme: str
    steps: int
    tinyflash: Cost
    pytorch: Cost
    time_ratio: float
    memory_ratio: float


def compare(network: str, steps: int) -> Comparison:
    """Trains a published network with its smallest scheme, batch 1, by turns with both.

    The time is the least of all steps, in processor time of the thread, so that other programs
    disturb little. Raises DataError without torch.
    """
    graph, (label, update) = reference_network(network), _smallest(network)
    program = compile_model(graph, update).program
    session = HostSession(program)
    x = np.random.default_rng(0).integers(-128, 128, graph.tensors[graph.input.tensor].size)
    sample = x.astype(np.int8)
    session.train_step(sample, _LABEL, _RATE)
    before = _largest_resident()
    twin = _twin(network)
    picture = sample.reshape(graph.tensors[graph.input.tensor].shape)
    twin.step(picture, _LABEL, _RATE)
    times = [
        (
            _milliseconds(lambda: session.train_step(sample, _LABEL, _RATE)),
            _milliseconds(lambda: twin.step(picture, _LABEL, _RATE)),
        )
        for _ in range(steps)
    ]
    ours = Cost(min(t for t, _ in times), _training_bytes(session))
    theirs = Cost(min(t for _, t in times), _largest_resident() - before)
    ratios = theirs.milliseconds / ours.milliseconds, theirs.bytes / ours.bytes
    return Comparison(network, label, steps, ours, theirs, *ratios)


def _smallest(network: str) -> tuple[str, Scheme]:
    return next(iter(published.schemes(network).items()))


def _twin(network: str) -> Twin:
    """Returns the float network that trains the same layers."""
    try:
        load_torch()
    except Exception as error:
        raise DataError(
            "bench host compares with PyTorch, which is missing; run pip install torch"
        ) from error
    update = _smallest(network)[1]
    forward = prepare(reference_network(network), update).forward
    return Twin(forward, resolve(update, forward))


def _training_bytes(session: HostSession) -> int:
    program = session.program
    return program.arena_bytes + len(program.weights) + len(program.state)


def _milliseconds(act: Callable[[], object]) -> float:
    start = time.thread_time()
    act()
    return 1000 * (time.thread_time() - start)


def _largest_resident() -> int:
    """Returns the bytes of the process's peak so far; macOS counts bytes, others KB. Raises
    DataError on Windows."""
    if sys.platform == "win32":
        raise DataError(
            "bench host measures memory by what Windows does not have; take Linux or macOS"
        )
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
