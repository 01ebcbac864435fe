"""Lists of layers as torch modules, trained in float. Imports torch; the caller checks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyflash.quantize.floatgraph import FloatGraph
from tinyflash.quantize.floatgraph.graph import Floats, Weights
from tinyflash.quantize.floatgraph.run import outputs
from tinyflash.read.torch import floats_from_torch
from tinyflash.search.designs.layers import INPUT, Layer, Map, shapes, window_of

Samples = tuple[Floats, "np.ndarray[tuple[int], np.dtype[np.int64]]"]
Augment = Callable[[Tensor], Tensor]


class TorchNetwork(nn.Module):
    """normalise: batch normalisation after convolutions."""

    def __init__(self, shape: Map, layers: tuple[Layer, ...], normalise: bool) -> None:
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
        if layer.operator == "average_pool":
            return functional.avg_pool2d(x, layer.kernel, layer.stride)
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

    def exported(self) -> FloatGraph:
        """Returns the trained network, with normalisation folded into weights and biases."""
        height, width, channels = self.shape
        return floats_from_torch(self, torch.zeros(1, channels, height, width))

    def folded(self) -> dict[str, Weights]:
        """Returns what `exported` has of each layer with weights, without its other files: their
        layout is that of operators.py."""
        return {layer.name: self._folded(layer) for layer in self.layers if layer.has_weights}

    def _folded(self, layer: Layer) -> Weights:
        linear = self.linear[layer.name]
        w, b = linear.weight.detach().double(), linear.bias.detach().double()
        if layer.name in self.norm:
            norm = self.norm[layer.name]
            gain = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
            w = w * gain.reshape(-1, 1, 1, 1)
            b = (b - norm.running_mean.double()) * gain + norm.bias.detach().double()
        if layer.operator == "conv2d":
            w = w.permute(0, 2, 3, 1)
        elif layer.operator == "depthwise":
            w = w[:, 0].permute(1, 2, 0)
        return Weights(np.ascontiguousarray(w.numpy(), np.float32), b.numpy().astype(np.float32))


def fit(
    network: TorchNetwork, samples: Samples, epochs: int, rate: float, augment: Augment
) -> None:
    """Trains with Adam, batches of 64, a cosine rate. augment: changes a batch
    [n][channels][h][w]."""
    x = torch.from_numpy(channels_first(samples[0]))
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


def accuracy(network: FloatGraph, samples: Samples) -> float:
    """Returns the float accuracy in percent."""
    logits = outputs(network, network.source.arrange(channels_first(samples[0])))
    return 100.0 * float(np.mean(logits.argmax(axis=1) == samples[1]))


def channels_first(x: Floats) -> Floats:
    """Returns samples [n][height][width][channels] as torch reads them."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def threads(count: int) -> int:
    """Sets the threads that torch computes with, and returns how many there were."""
    before = int(torch.get_num_threads())
    torch.set_num_threads(count)
    return before


def fit_samples(
    shape: Map,
    layers: tuple[Layer, ...],
    data: Samples,
    samples: int,
    batch: int,
    rate: float,
    seed: int,
    family: str,
) -> TorchNetwork:
    """Returns a network trained with so many samples [n][height][width][channels], drawn in epochs.

    Label smoothing and small changes of the samples: what a search learns from few samples should
    hold for others.
    """
    torch.manual_seed(seed)
    network = TorchNetwork(shape, layers, normalise=True).to(memory_format=torch.channels_last)
    x, y = torch.from_numpy(channels_first(data[0])), torch.from_numpy(data[1])
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-2)
    steps = max(1, samples // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    network.train()
    for chosen in islice(_batches(len(x), batch), steps):
        optimiser.zero_grad()
        logits = network(_changed(x[chosen], family).to(memory_format=torch.channels_last))
        functional.cross_entropy(logits, y[chosen], label_smoothing=0.1).backward()
        optimiser.step()
        schedule.step()
    network.eval()
    return network


def _batches(count: int, batch: int) -> Iterator[Tensor]:
    """Yields the numbers of samples, epoch after epoch, in batches of one size."""
    left = torch.zeros(0, dtype=torch.int64)
    while True:
        while len(left) < batch:
            left = torch.cat([left, torch.randperm(count)])
        yield left[:batch]
        left = left[batch:]


def _changed(x: Tensor, family: str) -> Tensor:
    """Varies gain and noise a little; moves pictures by up to a sixteenth of their sides."""
    if family == "picture":
        rows, columns = (max(1, side // 16) for side in x.shape[2:])
        padded = functional.pad(x, (columns, columns, rows, rows))
        down = torch.randint(0, 2 * rows + 1, (len(x),)).tolist()
        across = torch.randint(0, 2 * columns + 1, (len(x),)).tolist()
        height, width = x.shape[2:]
        moved = zip(padded, down, across, strict=True)
        x = torch.stack([one[:, r : r + height, c : c + width] for one, r, c in moved])
    gain = 1 + 0.1 * torch.randn(len(x), 1, 1, 1)
    return x * gain + 0.03 * torch.randn_like(x)


@torch.no_grad()
def accuracy_and_loss(network: TorchNetwork, data: Samples) -> tuple[float, float]:
    """Returns the share of samples that are right, and their mean cross-entropy."""
    y = torch.from_numpy(data[1])
    parts = torch.from_numpy(channels_first(data[0])).split(256)
    logits = torch.cat([network(part) for part in parts])
    loss = float(functional.cross_entropy(logits, y))
    return float((logits.argmax(1) == y).double().mean()), loss
