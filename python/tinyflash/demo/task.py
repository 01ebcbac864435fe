"""The demo's task: MLPerf Tiny's person detector learns to tell faces from other pictures."""

from __future__ import annotations

from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.runtime.units import encode
from tinyflash.training.job import Job
from tinyflash.training.loop import Recipe
from tinyflash.training.samples import Samples
from tinyflash.zoo.sources import faces_task, mlperf_tiny

EPOCHS = 3
RATE = 0.03
HEAD_ONLY_RATES = (0.3, 1.0, 2.0)


def load_task(seed: int) -> tuple[Graph, Job]:
    """Returns the released network and its samples. Fetches network and pictures, or takes them
    from the cache. seed: of the split and of the order."""
    graph, faces = read(mlperf_tiny("visual_wake_words")), faces_task(seed)
    train = Samples(encode(graph.input, faces.train_x), faces.train_y)
    held_out = Samples(encode(graph.input, faces.test_x), faces.test_y)
    return graph, Job(train, held_out, recipe(seed))


def recipe(seed: int, rate: float = RATE) -> Recipe:
    """Returns the demo's recipe."""
    return Recipe(EPOCHS, rate, "cosine", seed)
