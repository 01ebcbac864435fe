"""The torch twin of a list of layers: trained in float, handed over as a FloatNetwork.

torch is imported here and in the scripts beside this file, nowhere else; install it by
`pip install tinyflash[train]`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyflash.quantize.network import (
    INPUT,
    FloatNetwork,
    Floats,
    Layer,
    Weights,
    shapes,
    window_of,
)

Samples = tuple[Floats, "np.ndarray[tuple[int], np.dtype[np.int64]]"]
Augment = Callable[[Tensor], Tensor]


class TorchNetwork(nn.Module):
    """`normalise`: batch normalisation behind convolutions, folded into them at the end."""

    def __init__(
        self, shape: tuple[int, int, int], layers: tuple[Layer, ...], normalise: bool
    ) -> None:
        super().__init__()
        self.shape, self.layers = shape, layers
        self._shapes = shapes(shape, layers)
        self.linear, self.norm = nn.ModuleDict(), nn.ModuleDict()
        for layer in layers:
            if layer.has_weights:
                self.linear[layer.name] = self._linear(layer)
            if normalise and layer.operator in ("conv2d", "depthwise"):
                self.norm[layer.name] = nn.BatchNorm2d(layer.out)

    def _linear(self, layer: Layer) -> nn.Module:
        features = self._shapes[layer.inputs[0]][-1]
        if layer.operator == "fully_connected":
            return nn.Linear(features, layer.out)
        groups = features if layer.operator == "depthwise" else 1
        return nn.Conv2d(features, layer.out, layer.kernel, layer.stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Samples x [n][channels][height][width] -> logits [n][classes]."""
        values = {INPUT: x}
        for layer in self.layers:
            values[layer.name] = self._activate(layer, self._apply_layer(layer, values))
        return values[self.layers[-1].name]

    def _apply_layer(self, layer: Layer, values: dict[str, Tensor]) -> Tensor:
        x = values[layer.inputs[0]]
        if layer.operator == "add":
            return x + values[layer.inputs[1]]
        if layer.operator == "mean":
            return x.mean((2, 3))
        if layer.operator == "fully_connected":
            return self.linear[layer.name](x)
        top, left, bottom, right = window_of(layer, x.shape[2:]).padding
        y = self.linear[layer.name](functional.pad(x, (left, right, top, bottom)))
        return self.norm[layer.name](y) if layer.name in self.norm else y

    @staticmethod
    def _activate(layer: Layer, x: Tensor) -> Tensor:
        if layer.activation == "relu":
            return functional.relu(x)
        return functional.relu6(x) if layer.activation == "relu6" else x

    def folded(self, name: str) -> FloatNetwork:
        """What was learned, normalisation folded into weights and biases."""
        weights = {n.name: self._fold(n) for n in self.layers if n.has_weights}
        return FloatNetwork(name, self.shape, self.layers, weights)

    @torch.no_grad()
    def _fold(self, layer: Layer) -> Weights:
        linear = self.linear[layer.name]
        w, b = linear.weight.double(), linear.bias.double()
        if layer.name in self.norm:
            norm = self.norm[layer.name]
            factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
            w = w * factor.reshape(-1, *[1] * (w.dim() - 1))
            b = (b - norm.running_mean) * factor + norm.bias
        order = {"conv2d": (0, 2, 3, 1), "depthwise": (2, 3, 0, 1), "fully_connected": (0, 1)}
        stored = w.permute(order[layer.operator]).numpy().astype(np.float32)
        if layer.operator == "depthwise":
            stored = stored[..., 0]
        return Weights(np.ascontiguousarray(stored), b.numpy().astype(np.float32))


def fit(
    network: TorchNetwork, samples: Samples, epochs: int, rate: float, augment: Augment
) -> None:
    """Adam, batches of 64, a cosine rate; `augment` changes a batch [n][channels][h][w]."""
    x = torch.from_numpy(np.ascontiguousarray(samples[0].transpose(0, 3, 1, 2)))
    y = torch.from_numpy(samples[1])
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-3)
    steps = epochs * -(-len(x) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(network(augment(x[batch])), y[batch]).backward()
            optimiser.step()
            schedule.step()
    network.eval()


def accuracy(network: FloatNetwork, samples: Samples) -> float:
    """In percent, in float."""
    logits = network.run(samples[0])[network.layers[-1].name]
    return 100.0 * float(np.mean(logits.argmax(axis=1) == samples[1]))
