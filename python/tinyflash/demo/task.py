"""What the demo teaches: MLPerf Tiny's person detector tells faces from other pictures."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflash.data import faces_task, mlperf_tiny
from tinyflash.graph import Graph
from tinyflash.port import encode
from tinyflash.read import read
from tinyflash.samples import Samples
from tinyflash.scheme import scheme as scheme
from tinyflash.training import Recipe

EPOCHS = 3
RATE = 0.03
HEAD_ONLY_RATES = (0.3, 1.0, 2.0)


@dataclass(frozen=True)
class Task:
    """A network as it was released, and samples of what it is to learn."""

    graph: Graph
    train: Samples
    held_out: Samples


def load_task(seed: int) -> Task:
    """Fetches network and pictures, or takes them from the cache; `seed` splits the pictures."""
    graph, faces = read(mlperf_tiny("visual_wake_words")), faces_task(seed)
    return Task(
        graph,
        Samples(encode(graph.input, faces.train_x), faces.train_y),
        Samples(encode(graph.input, faces.test_x), faces.test_y),
    )


def recipe(seed: int, rate: float = RATE) -> Recipe:
    """How the demo trains."""
    return Recipe(EPOCHS, rate, "cosine", seed)
