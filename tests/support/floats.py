"""A float network of a few plain layers, weights drawn by a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflash.graph import MeanAttrs, Window
from tinyflash.quantize.floatgraph import FloatGraph, FloatNode, Source, Weights

SHAPE = (9, 7, 3)
INF = float("inf")
PADDED = (1, 1, 1, 1)


def _drawn(random: np.random.Generator, *shape: int, out: int) -> Weights:
    w = random.normal(0, 1 / np.sqrt(np.prod(shape) / out), shape)
    b = random.normal(0, 0.2, out)
    return Weights(w.astype(np.float32), b.astype(np.float32))


def float_network(seed: int) -> FloatGraph:
    """A stem, an inverted residual's depthwise and pointwise half, a sum, a classifier."""
    random = np.random.default_rng(seed)
    half = (1, 5, 4, 8)
    # 9 rows by 3, stride 2: one before and after; 7 columns by 2, stride 2: one after.
    stem = Window((3, 2), (2, 2), (1, 1), (1, 0, 1, 1))
    nodes = (
        FloatNode("conv2d", "stem", ("input",), half, stem,
                  _drawn(random, 8, 3, 2, 3, out=8), (0, 6)),
        FloatNode("depthwise", "dw", ("stem",), half, Window((3, 3), padding=PADDED),
                  _drawn(random, 3, 3, 8, out=8), (0, INF)),
        FloatNode("conv2d", "pw", ("dw",), half, Window((1, 1)),
                  _drawn(random, 8, 1, 1, 8, out=8)),
        FloatNode("add", "sum", ("stem", "pw"), half, bounds=(0, INF)),
        FloatNode("mean", "mean", ("sum",), (1, 8), MeanAttrs((1, 2))),
        FloatNode("fully_connected", "classifier", ("mean",), (1, 5),
                  weights=_drawn(random, 5, 8, out=5)),
    )  # fmt: skip
    source = Source("input", SHAPE, (0, 1, 2), (1, *SHAPE))
    return FloatGraph("floats", source, nodes, "classifier")


def with_weights(network: FloatGraph, name: str, weights: Weights) -> FloatGraph:
    """The network with other weights in one layer."""
    nodes = tuple(replace(n, weights=weights) if n.name == name else n for n in network.nodes)
    return replace(network, nodes=nodes)


def float_samples(seed: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)
