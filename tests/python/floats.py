"""A float network with every layer that the quantiser knows, weights drawn by a seed."""

from __future__ import annotations

import numpy as np

from tinyflash.quantize import FloatNetwork, Layer, Weights
from tinyflash.quantize.network import INPUT, shapes

SHAPE = (9, 7, 3)
LAYERS = (
    Layer("conv2d", "stem", (INPUT,), 8, (3, 2), (2, 2), "relu6"),
    Layer("depthwise", "dw", ("stem",), 8, (3, 3), activation="relu"),
    Layer("conv2d", "pw", ("dw",), 8),
    Layer("add", "sum", ("stem", "pw"), activation="relu"),
    Layer("mean", "mean", ("sum",)),
    Layer("fully_connected", "classifier", ("mean",), 5),
)


def float_network(seed: int, layers: tuple[Layer, ...] = LAYERS) -> FloatNetwork:
    random = np.random.default_rng(seed)
    found = shapes(SHAPE, layers)
    weights = {}
    for layer in layers:
        features = found[layer.inputs[0]][-1]
        shape: tuple[int, ...] = (layer.out, *layer.kernel, features)
        if layer.operator == "depthwise":
            shape = (*layer.kernel, layer.out)
        elif layer.operator == "fully_connected":
            shape = (layer.out, features)
        if layer.has_weights:
            spread = 1 / np.sqrt(np.prod(shape) / layer.out)
            w = random.normal(0, spread, shape)
            weights[layer.name] = Weights(
                w.astype(np.float32), random.normal(0, 0.2, layer.out).astype(np.float32)
            )
    return FloatNetwork("floats", SHAPE, layers, weights)


def float_samples(seed: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)
