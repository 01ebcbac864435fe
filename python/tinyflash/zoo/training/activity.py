"""Trains the motion CNN on twenty people: python -m tinyflash.zoo.training.activity

Depthwise separable convolutions along time, as convolutions of maps of height 1.
"""

from __future__ import annotations

import numpy as np
import torch

from tinyflash.search.designs.layers import Layer
from tinyflash.search.designs.torchnet import Samples, TorchNetwork, fit
from tinyflash.zoo.activity import INPUT, UNITS, WINDOW, known_people, new_people, windows
from tinyflash.zoo.sources.activity import ACTIVITIES, recordings
from tinyflash.zoo.training.finish import finish

_EPOCHS = 12


def _separable(name: str, x: str, channels: int, out: int, kernel: int, stride: int) -> list[Layer]:
    """A depthwise convolution along time, then a pointwise one."""
    return [
        Layer("depthwise", f"{name}_dw", (x,), channels, (1, kernel), (1, stride), "relu"),
        Layer("conv2d", name, (f"{name}_dw",), out, activation="relu"),
    ]


def _residual(name: str, x: str, channels: int) -> list[Layer]:
    body = _separable(f"{name}_body", x, channels, channels, 5, 1)
    return [*body, Layer("add", name, (x, f"{name}_body"))]


def layers() -> tuple[Layer, ...]:
    """About 30 KB of weights, 0.6 million multiply-adds."""
    return (
        Layer("conv2d", "stem", ("input",), 24, (1, 9), (1, 2), "relu"),
        *_separable("block1", "stem", 24, 48, 9, 2),
        *_residual("block2", "block1", 48),
        *_separable("block3", "block2", 48, 96, 5, 2),
        *_residual("block4", "block3", 96),
        *_residual("block5", "block4", 96),
        Layer("mean", "mean", ("block5",)),
        Layer("fully_connected", "classifier", ("mean",), len(ACTIVITIES)),
    )


def _all_windows(people: list[int]) -> Samples:
    found = recordings()
    parts = [windows(r, np.ones(len(r.labels), bool)) for p in people for r in found[p]]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _augment(x: torch.Tensor) -> torch.Tensor:
    """Varies gain and noise a little, as between sensors."""
    gain = 1 + 0.1 * torch.randn(len(x), 1, 1, 1)
    return x * gain + 0.02 * torch.randn(len(x), x.shape[1], 1, 1)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train, unseen = _all_windows(known_people()), _all_windows(new_people())
    network = TorchNetwork((1, WINDOW, len(UNITS)), layers(), normalise=True)
    fit(network, train, _EPOCHS, 2e-3, _augment)
    finish("activity", network, train[0][::16], unseen, INPUT)


if __name__ == "__main__":
    main()
