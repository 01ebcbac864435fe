"""Trains the residual CNN on the digits 0 to 4: python -m tinyflash.zoo.training.digits

It has no normalisation, so its weights come directly from float training.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from tinyflash.search.designs.layers import Layer
from tinyflash.search.designs.torchnet import TorchNetwork, fit
from tinyflash.zoo.digits import INPUT, KNOWN, known, unknown
from tinyflash.zoo.sources.digits import SIDE
from tinyflash.zoo.training.finish import finish

_EPOCHS = 150


def _residual(name: str, x: str, channels: int) -> tuple[Layer, ...]:
    return (
        Layer("conv2d", f"{name}_body", (x,), channels, (3, 3), activation="relu"),
        Layer("conv2d", f"{name}_tail", (f"{name}_body",), channels, (1, 1)),
        Layer("add", name, (x, f"{name}_tail"), activation="relu"),
    )


def layers() -> tuple[Layer, ...]:
    """About 31 KB of weights, 0.4 million multiply-adds."""
    return (
        Layer("conv2d", "stem", ("input",), 16, (3, 3), activation="relu"),
        *_residual("block1", "stem", 16),
        Layer("conv2d", "wider", ("block1",), 32, (3, 3), (2, 2), "relu"),
        *_residual("block2", "wider", 32),
        Layer("conv2d", "widest", ("block2",), 48, (3, 3), (2, 2), "relu"),
        Layer("mean", "mean", ("widest",)),
        Layer("fully_connected", "classifier", ("mean",), KNOWN),
    )


def _augment(x: torch.Tensor) -> torch.Tensor:
    """Moves each picture by up to one pixel in each direction, and adds a little noise."""
    padded = functional.pad(x, (1, 1, 1, 1))
    corners = torch.randint(0, 3, (len(x), 2)).tolist()
    pairs = zip(padded, corners, strict=True)
    moved = torch.stack([p[:, r : r + SIDE, c : c + SIDE] for p, (r, c) in pairs])
    gain = 1 + 0.1 * torch.randn(len(x), 1, 1, 1)
    return moved * gain + 0.05 * torch.randn_like(x)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = TorchNetwork((SIDE, SIDE, 1), layers(), normalise=False)
    train, (x, y) = known(), unknown()
    fit(network, train, _EPOCHS, 3e-3, _augment)
    old = y < KNOWN
    finish("digits", network, train[0], (x[old], y[old]), INPUT)


if __name__ == "__main__":
    main()
