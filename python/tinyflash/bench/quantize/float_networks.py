"""Float networks of four styles, as torch modules, for `bench quantize`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyflash.zoo.sources.photographs import mobilenet_weights


def _normal(inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution with normalisation."""
    conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


class Plain(nn.Module):
    """Convolutions, pools, and two linear layers on flattened maps."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(_normal(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(_normal(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(32 * 49, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Block(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_normal(inside, out, 3, stride), nn.ReLU(), _normal(out, out, 3))
        self.around = _normal(inside, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.around(x))


class Residual(nn.Module):
    """A small ResNet."""

    def __init__(self) -> None:
        super().__init__()
        stem = (_normal(1, 12, 3, 2), nn.ReLU())
        blocks = (Block(12, 12, 1), Block(12, 24, 2), Block(24, 24, 1), Block(24, 48, 2))
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))
        self.layers = nn.Sequential(*stem, *blocks, *head)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Excited(nn.Module):
    """An inverted residual with squeeze and excite."""

    def __init__(self, inside: int, out: int, stride: int, activation: type[nn.Module]) -> None:
        super().__init__()
        wide = 4 * inside
        self.widen = nn.Sequential(_normal(inside, wide, 1), activation())
        self.deepen = nn.Sequential(_normal(wide, wide, 3, stride, groups=wide), activation())
        self.gate = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, wide // 4, 1), nn.ReLU()),
            *(nn.Conv2d(wide // 4, wide, 1), nn.Hardsigmoid()),
        )
        self.narrow = _normal(wide, out, 1)
        self.whole = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.deepen(self.widen(x))
        y = self.narrow(y * self.gate(y))
        return x + y if self.whole else y


class SqueezeExcite(nn.Module):
    """A small MobileNetV3, with SiLU and then with hard swish."""

    def __init__(self) -> None:
        super().__init__()
        stem = (_normal(1, 12, 3, 2), nn.SiLU())
        blocks = (
            *(Excited(12, 12, 1, nn.SiLU), Excited(12, 20, 2, nn.SiLU)),
            *(Excited(20, 20, 1, nn.Hardswish), Excited(20, 32, 2, nn.Hardswish)),
        )
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        self.layers = nn.Sequential(*stem, *blocks, *head)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class InvertedResidual(nn.Module):
    """A block of MobileNetV2, with torchvision's names."""

    def __init__(self, inside: int, out: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = inside * factor
        first = [_block(inside, wide, 1)] if factor > 1 else []
        last = (nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out))
        self.conv = nn.Sequential(*first, _block(wide, wide, 3, stride, wide), *last)
        self.whole = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.whole else self.conv(x)


def _block(inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6())


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, for the 1000 classes of ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        blocks, inside = [_block(3, 32, 3, 2)], 32
        for factor, out, count, stride in (
            *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
            *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
        ):
            for i in range(count):
                blocks.append(InvertedResidual(inside, out, 1 if i else stride, factor))
                inside = out
        self.features = nn.Sequential(*blocks, _block(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean([2, 3]))


def mobilenet() -> nn.Module:
    """Returns MobileNetV2 with ImageNet weights."""
    network = MobileNetV2()
    network.load_state_dict(torch.load(mobilenet_weights(), weights_only=True))
    return network.eval()


SMALL: dict[str, type[nn.Module]] = {
    "plain": Plain,
    "residual": Residual,
    "squeeze-excite": SqueezeExcite,
}


def train(name: str, x: Tensor, y: Tensor, epochs: int) -> nn.Module:
    """Returns one of SMALL, trained with Adam, in batches of 64, at a falling rate."""
    torch.manual_seed(0)
    network = SMALL[name]()
    steps = epochs * -(-len(x) // 64)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimiser.step()
            schedule.step()
    return network.eval()
